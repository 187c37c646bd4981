/**
 * What is said about the words of a directive while they are read.
 * @module
 */

/** Receives messages about the words of one directive. `arg` is the index of the word, default 0. */
export interface Remarks {
  /** The word is unusual. It is read as SRS reads it. */
  odd(text: string, arg?: number): void;
  /** The word cannot be used. */
  bad(text: string, arg?: number): void;
}
