/**
 * Diagnostics of a configuration and their places, and the one error type of this folder.
 * @module
 */

/** A source of directives: a file, or an environment variable, which has no lines. */
export interface Source {
  /** Path as given, or the name of the variable. */
  readonly name: string;
  readonly lines: readonly string[];
  /** The `include` that named this file; null for the main file. */
  readonly includedFrom: Place | null;
}

/** A place in a source. `line` and `column` count from 1; line 0 means the source as a whole. */
export interface Place {
  readonly source: Source;
  readonly line: number;
  readonly column: number;
}

/** The place that stands for an environment variable. */
export function environmentPlace(variable: string): Place {
  return wholeSource(`env ${variable}`);
}

/** The place that stands for a whole file, for example one that cannot be read. */
export function wholeSource(name: string): Place {
  return { source: { name, lines: [], includedFrom: null }, line: 0, column: 0 };
}

/** `file:line:column`, or the bare name when there is no line. */
export function formatPlace(place: Place): string {
  const { source, line, column } = place;
  return line === 0 ? source.name : `${source.name}:${line}:${column}`;
}

/** Columns of a source line shown around the caret. They fit on a terminal. */
const SHOWN_COLUMNS = 100;

/** Most characters of a user's word that a message repeats. */
const QUOTED_CHARACTERS = 64;

/** Quotes a user's word. Control characters are escaped, and a long word is cut. */
export function quote(word: string): string {
  const cut = word.length > QUOTED_CHARACTERS ? `${word.slice(0, QUOTED_CHARACTERS)}…` : word;
  return JSON.stringify(cut);
}

/** `error` prevents the start. `warning` reports a value that is read differently or ignored. */
export type Severity = "error" | "warning";

/** One message about one place. */
export class Diagnostic {
  constructor(
    readonly severity: Severity,
    readonly place: Place,
    /** What is wrong and what to do about it. */
    readonly message: string,
  ) {}

  /** Path of the file, or `env NAME` for an environment variable. */
  get file(): string {
    return this.place.source.name;
  }

  /** From 1; 0 when the message is about the whole file or a variable. */
  get line(): number {
    return this.place.line;
  }

  /** From 1, in UTF-16 units; 0 when `line` is 0. */
  get column(): number {
    return this.place.column;
  }

  /** `file:line:column: message`; with `source` also the line, a caret, and the chain of includes. */
  format(options: { readonly source?: boolean } = {}): string {
    const head = `${formatPlace(this.place)}: ${this.message}`;
    return options.source
      ? [head, ...excerpt(this.place), ...includeChain(this.place)].join("\n")
      : head;
  }
}

function excerpt({ source, line, column }: Place): string[] {
  const text = source.lines[line - 1];
  if (text === undefined) return [];
  const from = text.length <= SHOWN_COLUMNS ? 0 : Math.max(0, column - SHOWN_COLUMNS / 2);
  const shown = visible(text.slice(from, from + SHOWN_COLUMNS).trimEnd());
  // Tabs before the caret stay tabs, so that the caret stands under its character at any tab width.
  const lead = text.slice(from, column - 1).replace(/[^\t]/g, " ");
  return [`    ${shown}`, `    ${lead}^`];
}

/**
 * Replaces each character that could control a terminal (H33) by one sign, which keeps the caret in
 * place.
 */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (sign) => sign === "\t" ? sign : "\ufffd");
}

function includeChain(place: Place): string[] {
  const chain: string[] = [];
  for (let from = place.source.includedFrom; from; from = from.source.includedFrom) {
    chain.push(`    included from ${formatPlace(from)}`);
  }
  return chain;
}

/** SRS's error numbers for a configuration; the exit status of a failed start is the number mod 256. */
export const ConfigErrorCode = {
  /** ConfigInvalid: exit status 255. */
  INVALID: 1023,
  /** FileOpen, an included file that cannot be read: exit status 18. */
  FILE_OPEN: 1042,
} as const;

/** The configuration cannot be used. For bad input this folder throws no other error. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(
    /** All errors, in the order of the files. At least one. */
    readonly diagnostics: readonly Diagnostic[],
    /** Warnings found before the error. */
    readonly warnings: readonly Diagnostic[] = [],
    /** One of {@link ConfigErrorCode}. */
    readonly code: number = ConfigErrorCode.INVALID,
    /** Whether the text could be read and parsed. */
    readonly parsed: boolean = true,
  ) {
    super(diagnostics.map((d) => d.format()).join("\n"));
  }

  /** Makes an error for one place. */
  static at(place: Place, message: string, code: number = ConfigErrorCode.INVALID): ConfigError {
    return new ConfigError([new Diagnostic("error", place, message)], [], code, false);
  }
}
