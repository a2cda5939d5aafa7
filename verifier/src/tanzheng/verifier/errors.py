"""Why a verification cannot be made, or what it found."""

from tanzheng.core.errors import BadInput, CheckFailed, TanzhengError


class Unreadable(BadInput):
    """A file that cannot be read, or is larger than anything of its kind."""


class NothingSealed(BadInput):
    """A log without a checkpoint: there is nothing yet that could be proved."""


class InUse(TanzhengError):
    """Another process works in that folder: try again when it has ended."""


class PackageForeign(CheckFailed):
    """A package that is in itself in order, but not the one the statement speaks of."""


class DocumentForeign(CheckFailed):
    """A document that the statement does not name by its digest."""


class KeyEventIgnored(CheckFailed):
    """A key event that was handed in and does not count."""


class BatchInvalid(CheckFailed):
    """A batch of the package is not its gateway's, or not the next of its chain."""


class CoverageIncomplete(CheckFailed):
    """A slot of the month has neither a reading nor a gap record."""


class FigureDiffers(CheckFailed):
    """A reported figure does not follow from signed batches and books."""


class PackDiffers(CheckFailed):
    """The month was closed by a standard or rules that are not the verifier's own."""


class StandardNotInstalled(BadInput):
    """A month can only be computed by the very standard and rules that it was closed by."""

    def diagnostics(self) -> str:
        """Where to get them."""
        return (
            "Install the tanzheng-analytics that brings this standard and these rules; the package "
            "names the one it was made with.\n请安装与证据包一致的标准包与规则集版本后重试。"
        )


class NodeFault(TanzhengError):
    """The chain's node cannot be asked: try again, or ask another one."""


class NodeLied(CheckFailed):
    """A node's answers contradict each other: do not trust anything it says."""
