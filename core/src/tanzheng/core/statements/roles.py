"""Who signs statements. A verifier's trust file says which key has which role, and when."""

from enum import StrEnum


class Role(StrEnum):
    """The part that a signer has in the life of a figure."""

    OPERATOR = "operator"
    CITY = "city"
    PROVINCE = "province"
    VERIFIER = "verifier"
    RECHECK = "recheck"


ROLE_LABELS = {
    Role.OPERATOR: ("operator of the log", "日志运营方"),
    Role.CITY: ("city authority", "市级生态环境部门"),
    Role.PROVINCE: ("province authority", "省级生态环境部门"),
    Role.VERIFIER: ("third party", "核查机构"),
    Role.RECHECK: ("fourth party", "复核机构"),
}
