// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";

/// @title  Standing admin: roles whose administrator can be replaced, never given up.
/// @notice One account administers all roles. It hands itself over in two steps with a delay
///         between them, in which a theft of its key can be noticed and the handover cancelled.
/// @dev    OpenZeppelin lets the admin hand over to the zero address and then renounce. Here the
///         first of these two steps is refused, so the second has nothing to complete: without an
///         admin, a lost or stolen key of any role could never be replaced.
abstract contract StandingAdmin is AccessControlDefaultAdminRules {
    /// @notice The admin can be handed over to another account only.
    error StandingAdminRequired();

    /// @param delay seconds between the two steps of a handover
    /// @param admin first administrator of all roles
    constructor(uint48 delay, address admin) AccessControlDefaultAdminRules(delay, admin) {}

    /// @dev {StandingAdminRequired} for the zero address, which would announce a renunciation.
    function _beginDefaultAdminTransfer(address newAdmin) internal override {
        if (newAdmin == address(0)) revert StandingAdminRequired();
        super._beginDefaultAdminTransfer(newAdmin);
    }
}
