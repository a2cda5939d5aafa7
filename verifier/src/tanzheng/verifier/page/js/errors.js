// The errors of a check, named for what happened. Anything else that is thrown is our own fault,
// and ends the whole check: it must never be taken for an answer.

/** Base of all errors that are an answer. */
export class TanzhengError extends Error {}

/** Something from outside has the wrong form. */
export class BadInput extends TanzhengError {}

/** Bytes that are not the one canonical encoding of what they claim to be. */
export class EncodingError extends BadInput {}

/** A verification came to an end and its answer is no. */
export class CheckFailed extends TanzhengError {}

/** A signature does not belong to these bytes and this key. */
export class SignatureInvalid extends CheckFailed {}

/** A Merkle proof does not lead to the root it is held against. */
export class ProofInvalid extends CheckFailed {}

/** This browser cannot do what a check needs: no answer can be given. */
export class CannotVerify extends Error {}

/** Thrown by a check that was given nothing to check against; its text becomes the detail. */
export class NotAsked extends Error {}
