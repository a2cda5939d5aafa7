// What the page says to a reader, in Chinese and English.

export const SLOTS = {
  receipt: { zh: "存证凭证", en: "receipt", needed: true },
  trust: { zh: "信任文件", en: "trust file", needed: true },
  files: { zh: "证据包文件夹", en: "package folder", folder: true },
  disclosure: { zh: "披露数据", en: "disclosed figures" },
  lastCheckpoint: { zh: "上次的检查点", en: "my last checkpoint" },
  consistency: { zh: "一致性证明", en: "consistency proof" },
  cosignatures: { zh: "见证人会签", en: "cosignatures", several: true },
  keyEvents: { zh: "已知密钥事件的凭证", en: "receipts of key events", several: true },
  documents: { zh: "声明所载文件", en: "documents it names", several: true },
};

export const WORDS = {
  ok: { mark: "✓", zh: "成立", en: "holds" },
  failed: { mark: "✗", zh: "不成立", en: "does not hold" },
  "not asked": { mark: "–", zh: "未核", en: "not asked" },
};

/** By the answer: the banner's class, and its words (the same as the command line's). */
export const ANSWERS = {
  ok: { kind: "ok", zh: "核验通过", en: "Verified: every point that was asked holds." },
  failed: { kind: "failed", zh: "核验未通过", en: "Not verified: at least one point does not hold." },
  beside: { kind: "warn", zh: "凭证成立，附加证明不成立", en: "The receipt holds, an attestation beside it is broken." },
  refused: { kind: "failed", zh: "文件不可用，未予核验", en: "Refused: a file is not what it should be." },
  cannot: { kind: "idle", zh: "此浏览器无法核验", en: "This browser cannot verify: no answer is given." },
};

/** By field of a statement: what it is called where it says what was stated. */
export const FACTS = {
  level: "层级 level", outcome: "结论 outcome", opinion: "核查意见 opinion", assurance: "保证程度 assurance",
  finding: "复核结论 finding", reasons: "原因 reasons", findings: "发现 findings", emissionsT: "排放量（吨）emissions_t",
  act: "事件 act", role: "角色 role", kid: "旧密钥 old key", key: "新密钥 new key",
  compromisedSinceMs: "泄露始于 compromised since", reason: "原因 reason", of: "所涉声明 of", months: "月度存证 months",
  basis: "依据 basis", quantities: "数据 quantities", units: "机组 units", checkpointSeq: "旧日志检查点 last checkpoint",
  supersedes: "更正 supersedes",
};

/** By point: what it proves when it holds. */
export const PROVES = {
  included: ["声明就是日志中的这一片叶子", "The statement is that very leaf of the log."],
  signer: ["声明、检查点与收录证明由当时有效的密钥签名", "Statement, checkpoint and inclusion are signed by keys valid when the block was made."],
  current: ["截至该检查点，没有更晚的声明取代它", "As of that checkpoint no later statement took its place."],
  consistent: ["日志仍含您上次所见的一切", "The log still holds everything that you saw before."],
  not_before: ["声明晚于这一区块", "The statement is not older than this block."],
  not_after: ["声明早于这一区块", "The statement is not younger than this block."],
  anchor: ["合约存有此检查点，区块由您的观察者确认", "The contract holds this checkpoint, in a block that your observer saw as final."],
  sealed: ["足够的区块验证者签封了该区块", "Enough validators of the chain sealed this block."],
  witnessed: ["您信任的见证人确认日志只增不改", "Enough of your witnesses saw the log only grow."],
  rfc3161: ["您信任的时间戳机构在该时刻见过此凭证", "A time-stamping authority of your trust file saw this very receipt at that moment."],
  opentimestamps: ["比特币时间证明；只读结构", "A proof towards Bitcoin; only its structure is read."],
  second_chain: ["另一条链上的存证；未核", "An anchor on a second chain; not checked."],
  keys: ["所给的密钥事件均已计入", "Every key event that you gave counts."],
  documents: ["所附文件即声明所载（SHA-256）", "The files are those that the statement names (SHA-256)."],
  body: ["每一字节都是声明所指的（SHA-256 与 SM3）", "Every byte of the package is the stated one (SHA-256 and SM3)."],
  plant: ["电厂描述文件为备案文件", "Meters, roles and capacity are the filed ones."],
  packs: ["标准与规则与核查方一致", "Standard and rules are the verifier's own."],
  batches: ["批次由网关签名且链无缺口", "Batches are signed by the gateways, in one unbroken chain."],
  coverage: ["每一时点有读数或缺口记录", "Each point has a reading or a gap record at each slot."],
  figures: ["数据可由签名读数重算", "Figures follow from the signed readings."],
  disclosed: ["披露的数据可验证至参数根", "The disclosed figures lead to the parameter root."],
  named: ["参数根由声明指明", "The statement names this root."],
};
