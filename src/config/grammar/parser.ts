/**
 * Parses files into a tree: the grammar, the line rule, and `include`.
 * @module
 */
import {
  ConfigError,
  ConfigErrorCode,
  type Place,
  quote,
  type Source,
  wholeSource,
} from "./diagnostic.ts";
import { Lexer, type Token } from "./lexer.ts";
import { readProblem, systemCode } from "../read_problem.ts";
import type { Directive, Word } from "./tree.ts";

/** Returns the text of a file. Throws when it cannot be read. Relative paths start at the cwd. */
export type ReadFile = (path: string) => string;

/** A parsed configuration. */
export interface Tree {
  readonly directives: readonly Directive[];
  /** The main file and every included one, in the order of reading, each once. */
  readonly files: readonly string[];
  /** The beginning of the main file, for messages about missing directives. */
  readonly top: Place;
}

/** Most characters of all files together. SRS's own reference file has a tenth of that. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

/** Most directives of all files together. A thousand vhosts with fifty settings each stay below. */
const MAX_DIRECTIVES = 100_000;

/** Most files of one configuration. The limit ends small files that include each other in many ways. */
const MAX_FILES = 1000;

/** Deepest nesting of included files. SRS has no limit and runs out of stack (srs#2878). */
const MAX_INCLUDE_DEPTH = 16;

/** Deepest nesting of blocks. SRS's deepest directive has a depth of five. */
const MAX_BLOCK_DEPTH = 32;

/**
 * Parses the main file and its includes.
 * Throws ConfigError for the first syntax error, a file that cannot be read, and an exceeded limit.
 */
export function parseFile(path: string, readFile: ReadFile): Tree {
  const session = new ParseSession(readFile);
  let text: string;
  try {
    text = readFile(path);
  } catch (cause) {
    throw ConfigError.at(wholeSource(path), mainFileProblem(path, cause));
  }
  return session.main(path, text);
}

/** Parses a text under a name, as if it were the main file. Throws ConfigError as {@link parseFile}. */
export function parseText(name: string, text: string, readFile: ReadFile = noFiles): Tree {
  return new ParseSession(readFile).main(name, text);
}

/**
 * State shared by the files of one configuration: the reader, the limits, and the chain of includes.
 */
class ParseSession {
  readonly #readFile: ReadFile;
  readonly #files = new Set<string>();
  /** Files being parsed, outermost first. */
  readonly #open: string[] = [];
  #characters = 0;
  #directives = 0;
  #reads = 0;

  constructor(readFile: ReadFile) {
    this.#readFile = readFile;
  }

  /** Parses the main file. */
  main(path: string, content: string): Tree {
    const text = withoutByteOrderMark(content, wholeSource(path));
    const source = sourceOf(path, text, null);
    const directives = this.#parse(source, text, 0);
    return { directives, files: [...this.#files], top: { source, line: 1, column: 1 } };
  }

  /** Parses one complete file. `blockDepth` is that of the block it is spliced into. */
  #parse(source: Source, text: string, blockDepth: number): Directive[] {
    const { name: path, includedFrom } = source;
    this.#files.add(path);
    this.#characters += text.length;
    if (this.#characters > MAX_CHARACTERS) {
      throw ConfigError.at(
        includedFrom ?? wholeSource(path),
        `the configuration is larger than ${MAX_CHARACTERS} characters; is ${
          quote(path)
        } the right file?`,
      );
    }
    this.#open.push(normalized(path));
    const directives = new FileParser(source, text, this).parse(blockDepth);
    this.#open.pop();
    return directives;
  }

  /** Parses the file that one argument of an `include` names. */
  include(path: Word, blockDepth: number): Directive[] {
    const { text: name, place } = path;
    if (this.#open.includes(normalized(name))) {
      const chain = [...this.#open, normalized(name)].join(" -> ");
      throw ConfigError.at(
        place,
        `${quote(name)} includes itself (${chain}): remove one of these includes`,
      );
    }
    if (this.#open.length > MAX_INCLUDE_DEPTH) {
      throw ConfigError.at(
        place,
        `more than ${MAX_INCLUDE_DEPTH} files include each other: flatten them`,
      );
    }
    if (++this.#reads > MAX_FILES) {
      throw ConfigError.at(place, `more than ${MAX_FILES} files are included: merge some`);
    }
    const text = withoutByteOrderMark(this.#readIncluded(name, place), place);
    return this.#parse(sourceOf(name, text, place), text, blockDepth);
  }

  /** Counts one directive. Throws ConfigError at the limit. */
  count(place: Place): void {
    if (++this.#directives > MAX_DIRECTIVES) {
      throw ConfigError.at(place, `the configuration has more than ${MAX_DIRECTIVES} directives`);
    }
  }

  #readIncluded(name: string, place: Place): string {
    try {
      return this.#readFile(name);
    } catch (cause) {
      throw ConfigError.at(
        place,
        `cannot read the included file ${quote(name)}: ${readProblem(cause)}; ` +
          "a relative path starts at the working directory of the process",
        ConfigErrorCode.FILE_OPEN,
      );
    }
  }
}

/** Recursive descent over one file. */
class FileParser {
  readonly #lexer: Lexer;
  readonly #session: ParseSession;

  constructor(source: Source, text: string, session: ParseSession) {
    this.#lexer = new Lexer(source, text);
    this.#session = session;
  }

  parse(blockDepth: number): Directive[] {
    return this.#block(null, blockDepth);
  }

  /** Parses directives up to the `}` of the block that `opener` begins, or to the end of the file. */
  #block(opener: Token | null, depth: number): Directive[] {
    const directives: Directive[] = [];
    for (;;) {
      const token = this.#lexer.next();
      if (token.kind === "word") {
        // A spread would fail: an included file may have more directives than a call takes arguments.
        for (const directive of this.#directive(token, depth)) directives.push(directive);
      } else if (token.kind === "}" && opener) {
        return directives;
      } else if (token.kind === "end" && !opener) {
        return directives;
      } else {
        throw stray(token, opener);
      }
    }
  }

  /** Parses one directive, or all directives of an `include`. */
  #directive(name: Token, depth: number): Directive[] {
    const args: Word[] = [];
    for (let last = name;;) {
      const token = this.#lexer.next();
      checkSameLine(name, last, token);
      switch (token.kind) {
        case "word":
          args.push({ text: token.text, place: token.place });
          last = token;
          break;
        case ";":
          return name.text === "include"
            ? this.#include(name, args, depth)
            : this.#leaf(name, args);
        case "{":
          return [this.#branch(name, args, token, depth)];
        case "}":
          throw ConfigError.at(
            token.place,
            `unexpected '}': end ${quote(name.text)} with ";" before it`,
          );
        case "end":
          throw ConfigError.at(
            last.end,
            `unexpected end of file, expecting ; or "}" after ${quote(last.text)}`,
          );
      }
    }
  }

  #leaf(name: Token, args: readonly Word[]): Directive[] {
    this.#session.count(name.place);
    return [{ name: name.text, place: name.place, args, block: null }];
  }

  #branch(name: Token, args: readonly Word[], brace: Token, depth: number): Directive {
    this.#session.count(name.place);
    if (name.text === "include") {
      throw ConfigError.at(brace.place, "include has no block: write include FILE;");
    }
    if (depth >= MAX_BLOCK_DEPTH) {
      throw ConfigError.at(brace.place, `blocks are nested deeper than ${MAX_BLOCK_DEPTH}`);
    }
    return { name: name.text, place: name.place, args, block: this.#block(name, depth + 1) };
  }

  #include(name: Token, paths: readonly Word[], depth: number): Directive[] {
    if (paths.length === 0) {
      throw ConfigError.at(name.place, "include is empty directive: name at least one file");
    }
    return paths.flatMap((path) => this.#session.include(path, depth));
  }
}

/** Reports a token that cannot begin a directive. */
function stray(token: Token, opener: Token | null): ConfigError {
  switch (token.kind) {
    case "}":
      return ConfigError.at(token.place, 'unexpected "}": no block is open in this file');
    case "end":
      return ConfigError.at(
        opener?.place ?? token.place,
        `unexpected end of file, expecting "}" for the block ${
          quote(opener?.text ?? "")
        } that begins here`,
      );
    default:
      return ConfigError.at(
        token.place,
        `unexpected '${token.kind}': a directive begins with its name`,
      );
  }
}

/**
 * Checks the line rule: name, arguments and `;` or `{` stand on one line. Only the name may contain a
 * newline.
 */
function checkSameLine(name: Token, last: Token, token: Token): void {
  if (!token.afterNewline && !token.multiline) return;
  const place = token.afterNewline ? last.end : token.place;
  throw ConfigError.at(
    place,
    `unexpected end of line to parse token ${quote(name.text)}: ` +
      'a directive stands on one line, up to its ";" or "{"',
  );
}

/**
 * Removes the byte-order mark that some editors write (F22; SRS refuses it).
 * Throws ConfigError for UTF-16.
 */
function withoutByteOrderMark(text: string, place: Place): string {
  if (text.startsWith("\ufffd\ufffd") && text.includes("\0")) {
    throw ConfigError.at(place, "the file is UTF-16: save it as UTF-8");
  }
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

/**
 * The error for a main file that cannot be read, with the cure. For a missing file it begins with SRS's
 * words.
 */
function mainFileProblem(path: string, cause: unknown): string {
  return ["ENOENT", ""].includes(systemCode(cause))
    ? `no config file at ${path} (${reasonOf(cause)})`
    : `the config file cannot be read: ${readProblem(cause)}`;
}

function sourceOf(name: string, text: string, includedFrom: Place | null): Source {
  return { name, lines: text.split("\n"), includedFrom };
}

/** Normalises a path enough to recognise a file that includes itself under another spelling. */
function normalized(path: string): string {
  return path.replace(/\/(?:\.?\/)+/g, "/").replace(/^(?:\.\/)+/, "");
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function noFiles(): string {
  throw new Error("no files can be included here");
}
