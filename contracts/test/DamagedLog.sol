// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev The flaws the properties must find. `None` is the control: undamaged, it must pass.
enum Flaw {
    None,
    AnyoneSeals,
    SkipsSequence,
    RepeatsSequence,
    AcceptsSameSize,
    AcceptsSmallerSize,
    AcceptsEmptyHead,
    ReusesOneSlot,
    StoresBareSize,
    EventNamesOldHead
}

/// @dev Twin of CheckpointLog with one flaw switched on, same storage layout.
contract DamagedLog {
    Flaw private immutable _flaw;
    uint256[3] private _access; // slots 0 to 2, as in AccessControlDefaultAdminRules
    mapping(uint256 seq => bytes32 head) private _heads;
    address private _sealer;
    uint48 private _seq;
    uint48 private _size;

    event CheckpointPublished(uint48 indexed seq, uint48 size, bytes32 head);

    constructor(Flaw flaw, address sealer) {
        _flaw = flaw;
        _sealer = sealer;
    }

    function publish(uint48 seq, uint48 size, bytes32 head) external {
        require(_flaw == Flaw.AnyoneSeals || msg.sender == _sealer);
        require(_sequenceFits(seq) && _sizeFits(size));
        require(_flaw == Flaw.AcceptsEmptyHead || head != 0);
        bytes32 before = _heads[_seq];
        (_seq, _size) = (seq, size);
        _heads[_key(seq)] = _flaw == Flaw.StoresBareSize ? bytes32(uint256(size)) : head;
        emit CheckpointPublished(seq, size, _flaw == Flaw.EventNamesOldHead ? before : head);
    }

    function rotateSealer(address account) external {
        _sealer = account;
    }

    function currentSealer() external view returns (address) {
        return _sealer;
    }

    function headAt(uint256 seq) external view returns (bytes32) {
        return _heads[_key(seq)];
    }

    function latest() external view returns (uint48, uint48, bytes32) {
        return (_seq, _size, _heads[_key(_seq)]);
    }

    function _key(uint256 seq) private view returns (uint256) {
        return _flaw == Flaw.ReusesOneSlot ? 1 : seq;
    }

    function _sequenceFits(uint48 seq) private view returns (bool) {
        if (_flaw == Flaw.SkipsSequence && seq > _seq) return true;
        if (_flaw == Flaw.RepeatsSequence && seq == _seq) return true;
        return seq == _seq + 1;
    }

    function _sizeFits(uint48 size) private view returns (bool) {
        if (_flaw == Flaw.AcceptsSameSize && size == _size) return true;
        if (_flaw == Flaw.AcceptsSmallerSize && size < _size) return true;
        return size > _size;
    }
}
