"""What may be wrong with a frame that is read all the same: a closed list of names. Pure.

Each has a sentence for the engineer, who shows it to the logger's supplier.
"""

from enum import Enum


class Deviation(Enum):
    """value: (name, English, Chinese)."""

    LENGTH_MISMATCH = (
        "length_mismatch",
        "declared length is not the actual one",
        "长度域与实际不符",
    )
    LENGTH_MALFORMED = ("length_malformed", "length is not four digits", "长度域不是四位数字")
    TRUNCATED = ("truncated", "the frame has no end", "数据包不完整")
    OVER_1024 = ("over_1024", "data segment longer than 1024 bytes", "数据段超过1024字节")
    CRC_INVALID = ("crc_invalid", "no known algorithm gives this check sum", "CRC 校验错误")
    CRC_MODBUS_LE = (
        "crc_modbus_le",
        "check sum is CRC-16/MODBUS, low byte first",
        "CRC 用了 MODBUS 算法（低字节在前）",
    )
    CRC_LOWER_CASE = ("crc_lower_case", "check sum in lower case", "CRC 为小写")
    CRC_NOT_HEX = (
        "crc_not_hex",
        "check sum is missing or not four hex digits",
        "CRC 缺失或不是四位十六进制",
    )
    CRC_OVER_CIPHERTEXT = (
        "crc_over_ciphertext",
        "check sum was made after encryption",
        "CRC 在加密之后计算",
    )
    ENCRYPTED_BLOCK = ("encrypted_block", "CP is encrypted (SM4)", "CP 已加密（SM4）")
    PRINTED_CIPHER_FORM = (
        "printed_cipher_form",
        "ciphertext written as {0x..,0x..}",
        "密文以 {0x..} 文本发送",
    )
    HEX_CIPHER_FORM = (
        "hex_cipher_form",
        "ciphertext written as hex digits",
        "密文以十六进制文本发送",
    )
    SM4_KEY_MISSING = ("sm4_key_missing", "encrypted, and no key was given", "已加密而未提供密钥")
    SM4_KEY_WRONG = ("sm4_key_wrong", "the key gives no text", "密钥不能解出明文")
    SM4_PADDED = ("sm4_padded", "plain text was padded before encryption", "加密前做了填充")
    NO_QN = ("no_qn", "no QN", "缺 QN")
    NO_ST = ("no_st", "no ST", "缺 ST")
    NO_CN = ("no_cn", "no CN", "缺 CN")
    NO_PW = ("no_pw", "no PW", "缺 PW")
    NO_MN = ("no_mn", "no MN", "缺 MN")
    NO_FLAG = ("no_flag", "no Flag", "缺 Flag")
    NO_CP = ("no_cp", "no CP", "缺 CP")
    QN_NOT_17 = ("qn_not_17", "QN is not 17 digits", "QN 不是17位数字")
    ST_3_DIGITS = ("st_3_digits", "ST has three characters", "ST 为三位")
    ST_NOT_2 = ("st_not_2", "ST has not two characters", "ST 不是两位")
    ST_CODES_DISAGREE = (
        "st_codes_disagree",
        "ST says water and the codes gas, or the other way",
        "ST 与污染物编码类别不符",
    )
    CN_NOT_4 = ("cn_not_4", "CN is not four digits", "CN 不是四位数字")
    PW_LONG = ("pw_long", "PW is longer than 6", "PW 超过6位")
    PW_SHORT = ("pw_short", "PW is shorter than 6", "PW 不足6位")
    MN_NOT_24 = ("mn_not_24", "MN has not 24 characters", "MN 不是24位")
    MN_NOT_HEX = (
        "mn_not_hex",
        "MN has other characters than 0-9 A-F",
        "MN 含有 0-9 A-F 以外的字符",
    )
    FLAG_UPPER_CASE = ("flag_upper_case", "FLAG in upper case", "FLAG 为大写")
    FLAG_INVALID = ("flag_invalid", "Flag is not a number from 0 to 255", "Flag 不是0到255的数")
    KEY_CASE = ("key_case", "a field name in the wrong case", "字段名大小写不符")
    KEY_UNKNOWN = ("key_unknown", "a field that no version knows", "未知字段")
    PACKET_INVALID = ("packet_invalid", "PNUM and PNO make no sense", "PNUM、PNO 不合理")
    PACKET_UNFLAGGED = (
        "packet_unflagged",
        "PNUM and PNO without their Flag bit, or the bit alone",
        "PNUM/PNO 与 Flag 位不一致",
    )
    RF_INVALID = ("rf_invalid", "RF is not 1", "RF 不是1")
    CP_UNCLOSED = ("cp_unclosed", "CP is not between && and &&", "CP 未用 && 包围")
    STRAY_COMMA = ("stray_comma", "a comma with nothing beside it", "多余的逗号")
    STRAY_SEMICOLON = ("stray_semicolon", "a semicolon with nothing beside it", "多余的分号")
    STRAY_SPACE = ("stray_space", "spaces around a name or value", "多余的空格")
    ITEM_WITHOUT_VALUE = ("item_without_value", "an item without =", "缺少等号的项")
    DUPLICATE_KEY = (
        "duplicate_key",
        "a name twice; the last one counts",
        "名称重复，以最后一个为准",
    )
    NOT_TEXT = ("not_text", "bytes that are no UTF-8 text", "含有非 UTF-8 文本的字节")
    NO_DATATIME = ("no_datatime", "data without DataTime", "数据缺 DataTime")
    DATATIME_17_DIGITS = ("datatime_17_digits", "DataTime has milliseconds", "DataTime 为17位")
    DATATIME_INVALID = ("datatime_invalid", "DataTime is not YYYYMMDDhhmmss", "DataTime 格式错误")
    VALUE_NOT_NUMBER = ("value_not_number", "a measured value that is no number", "测量值不是数字")
    SENTINEL_999 = ("sentinel_-999", "-999 stands for no value", "以 -999 表示无数据")
    BARE_FLAG = ("bare_flag", "one Flag for the whole list", "整个列表只有一个 Flag")
    NO_MARK = ("no_mark", "a measured value without a mark", "测量值没有数据标记")
    MARK_LOWER_CASE = ("mark_lower_case", "a mark in lower case", "数据标记为小写")
    MARK_UNKNOWN = ("mark_unknown", "a mark that table 8 has not", "未知的数据标记")
    ANSWER_WITH_CONTENT = (
        "answer_with_content", "a 9013 or 9014 whose CP is not empty", "应答包的 CP 非空"
    )  # fmt: skip

    @property
    def label(self) -> str:
        """Its name in JSON, in events and in the documents."""
        return self.value[0]

    @property
    def en(self) -> str:
        """The sentence in English."""
        return self.value[1]

    @property
    def zh(self) -> str:
        """The sentence in Chinese."""
        return self.value[2]


NAMES = {deviation.label: deviation for deviation in Deviation}
