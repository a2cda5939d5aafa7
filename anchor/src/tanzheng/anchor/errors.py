"""What can go wrong between a package and its receipt, named for what to do next."""

from tanzheng.core.errors import BadInput, CheckFailed, TanzhengError


class ChainUnavailable(TanzhengError):
    """The node did not answer in time: try again, nothing is lost."""

    def diagnostics(self) -> str:
        return (
            "The log on disk is complete. When the node answers again, run the same command: "
            "it goes on where it stopped, and a checkpoint is never published twice."
        )


class ChainRefused(TanzhengError):
    """The node answered with an error that is not the contract's."""


class ContractReverted(TanzhengError):
    """The contract refused the call; `name` is its error, `arguments` what it says."""

    def __init__(self, name: str, arguments: tuple[object, ...], what: str) -> None:
        shown = ", ".join(str(argument) for argument in arguments)
        super().__init__(f"{what}: expected success, the contract answered {name}({shown})")
        self.name = name
        self.arguments = arguments


class SequenceTaken(CheckFailed):
    """The chain holds another checkpoint under this sequence: two logs use one contract."""

    def diagnostics(self) -> str:
        return (
            "Someone sealed with this contract's sealer key from another copy of the log. "
            "Do not seal from here: compare both logs, one of them must be given up."
        )


class NodesDisagree(CheckFailed):
    """Two nodes tell different things about what is final: one of them is wrong, or lies."""

    def diagnostics(self) -> str:
        return (
            "Nothing was published and nothing was called final. Compare the nodes with one that "
            "you run yourself, take the wrong one out of publisher.toml, and run it again."
        )


class NoLongerFinal(CheckFailed):
    """The chain went back behind a block that was final: receipts over it prove nothing there."""

    def diagnostics(self) -> str:
        return (
            "Find out why with the chain's operator (docs/catastrophe.md). Then `tanzheng anchor "
            "reopen` has the same checkpoints published again; make the receipts anew."
        )


class FeeAboveLimit(TanzhengError):
    """The chain asks for more than publisher.toml allows: wait, or raise the limit."""


class SignerRefused(TanzhengError):
    """The signer did not sign what it was asked to sign."""


class NotFinal(TanzhengError):
    """The transaction is not final within the time given: run the command again."""


class LogBusy(TanzhengError):
    """Another process works on this log."""

    def diagnostics(self) -> str:
        return (
            "What was accepted stays in the log. Where `tanzheng anchor run` is at work it will "
            "anchor it: `tanzheng anchor receipt` makes the receipt afterwards."
        )


class DiskRefused(TanzhengError):
    """The disk took no more, or gave nothing back."""

    def diagnostics(self) -> str:
        return (
            "What counts in the log is still whole. Give the disk room, or another disk, and run "
            "the same command: it goes on where it stopped."
        )


class IndexUnavailable(TanzhengError):
    """The database of the index did not answer, or refuses what is asked."""


class IndexDiffers(CheckFailed):
    """The index says something else than the log's files; only the files count."""

    def diagnostics(self) -> str:
        return "The files are the log. `tanzheng anchor index refresh --rebuild` makes it anew."


class AnchorInput(BadInput):
    """A file or an option given to an anchor command has the wrong form."""
