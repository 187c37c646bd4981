/**
 * Splits the text of one file into tokens, by SRS's rules.
 *
 * - Space, tab, CR and LF separate. `#` starts a comment only where a token could begin.
 * - An unquoted token runs to the next separator, `;` or `{`; neither `}` nor `#` nor a quote ends it.
 * - A token that begins with `"` or `'` runs to the next quote of that kind, without escapes, and must
 *   be followed by a separator, `;` or `{`. An empty one is no token at all.
 * @module
 */
import { ConfigError, type Place, quote, type Source } from "./diagnostic.ts";

/** One token. */
export interface Token {
  readonly kind: "word" | ";" | "{" | "}" | "end";
  /** The word without its quotes. Empty for other kinds of token. */
  readonly text: string;
  readonly place: Place;
  /** The place after the token. */
  readonly end: Place;
  /** Whether a newline stands between this token and the previous one. */
  readonly afterNewline: boolean;
  /** Whether this quoted token contains a newline. */
  readonly multiline: boolean;
}

const SEPARATORS = " \t\r\n";
const WORD_ENDS = `${SEPARATORS};{`;

/** Reads the tokens of one source, one at a time. */
export class Lexer {
  readonly #source: Source;
  readonly #text: string;
  #offset = 0;
  #line = 1;
  /** Offset of the first character of the current line. */
  #lineStart = 0;

  constructor(source: Source, text: string) {
    this.#source = source;
    this.#text = text;
  }

  /** Returns the next token, and `end` after the last. Throws ConfigError for a broken quotation. */
  next(): Token {
    let afterNewline = false;
    for (;;) {
      if (this.#skipBlanks()) afterNewline = true;
      const token = this.#read(afterNewline);
      if (token) return token;
    }
  }

  /** Reads the token here. Null for an empty quotation. */
  #read(afterNewline: boolean): Token | null {
    const place = this.#here();
    const char = this.#text.charAt(this.#offset);
    switch (char) {
      case "":
        return { kind: "end", text: "", place, end: place, afterNewline, multiline: false };
      case ";":
      case "{":
      case "}":
        this.#offset++;
        return { kind: char, text: "", place, end: this.#here(), afterNewline, multiline: false };
      case '"':
      case "'":
        return this.#readQuoted(char, place, afterNewline);
      default: {
        const text = this.#readBare();
        return { kind: "word", text, place, end: this.#here(), afterNewline, multiline: false };
      }
    }
  }

  #readBare(): string {
    const start = this.#offset;
    let end = start;
    while (end < this.#text.length && !WORD_ENDS.includes(this.#text.charAt(end))) end++;
    this.#offset = end;
    return this.#text.slice(start, end);
  }

  #readQuoted(mark: string, place: Place, afterNewline: boolean): Token | null {
    const close = this.#text.indexOf(mark, this.#offset + 1);
    if (close < 0) {
      throw ConfigError.at(
        place,
        `unexpected end of file: the quotation that begins here has no closing ${mark}`,
      );
    }
    const text = this.#text.slice(this.#offset + 1, close);
    const multiline = this.#advance(close + 1);
    const follower = this.#text.charAt(this.#offset);
    if (follower !== "" && !WORD_ENDS.includes(follower)) {
      throw ConfigError.at(
        this.#here(),
        `unexpected ${
          quote(follower)
        } after a closing quote: only a space, ";" or "{" may follow (there are no escapes)`,
      );
    }
    if (text === "") return null;
    return { kind: "word", text, place, end: this.#here(), afterNewline, multiline };
  }

  /** Skips separators and comments. Returns true when it passed a newline. */
  #skipBlanks(): boolean {
    let to = this.#offset;
    for (;; to++) {
      const char = this.#text.charAt(to);
      if (char === "#") {
        const newline = this.#text.indexOf("\n", to);
        to = newline < 0 ? this.#text.length : newline;
      } else if (char === "" || !SEPARATORS.includes(char)) {
        return this.#advance(to);
      }
    }
  }

  /** Moves to an offset. Returns true when it passed a newline. */
  #advance(to: number): boolean {
    const before = this.#line;
    for (;;) {
      const newline = this.#text.indexOf("\n", this.#offset);
      if (newline < 0 || newline >= to) break;
      this.#line++;
      this.#offset = this.#lineStart = newline + 1;
    }
    this.#offset = to;
    return this.#line > before;
  }

  #here(): Place {
    return { source: this.#source, line: this.#line, column: this.#offset - this.#lineStart + 1 };
  }
}
