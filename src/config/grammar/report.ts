/**
 * Collects the diagnostics of a check, so that one run reports every error.
 * @module
 */
import { ConfigError, Diagnostic, type Place, type Severity } from "./diagnostic.ts";

/** Most errors before the check stops. A hostile file (H33) could have a million. */
const MAX_ERRORS = 100;

/** Most warnings that are kept, for the same reason. Others are counted. */
const MAX_WARNINGS = 200;

/** A list of diagnostics without repetitions. */
export class Report {
  readonly #errors: Diagnostic[] = [];
  readonly #warnings: Diagnostic[] = [];
  readonly #seen = new Set<string>();
  #unkept = 0;

  /** Adds an error. Throws ConfigError with all errors when there are too many. */
  error(place: Place, message: string): void {
    this.#add("error", place, message, this.#errors);
    if (this.#errors.length >= MAX_ERRORS) this.throwIfFailed();
  }

  /** Adds a warning. */
  warn(place: Place, message: string): void {
    if (this.#warnings.length < MAX_WARNINGS) this.#add("warning", place, message, this.#warnings);
    else this.#unkept++;
  }

  /** Throws ConfigError when there is any error. */
  throwIfFailed(): void {
    if (this.#errors.length > 0) throw new ConfigError(inOrder(this.#errors), this.warnings);
  }

  /** The warnings so far, by file and line. */
  get warnings(): Diagnostic[] {
    const list = inOrder(this.#warnings);
    const last = list.at(-1);
    if (last && this.#unkept > 0) {
      list.push(
        new Diagnostic("warning", last.place, `${this.#unkept} more warnings are not shown`),
      );
    }
    return list;
  }

  // An environment variable is read for every vhost. Its error is reported once.
  #add(severity: Severity, place: Place, message: string, list: Diagnostic[]): void {
    const diagnostic = new Diagnostic(severity, place, message);
    const key = diagnostic.format();
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    list.push(diagnostic);
  }
}

function inOrder(list: readonly Diagnostic[]): Diagnostic[] {
  const files = [...new Set(list.map((d) => d.file))];
  return [...list].sort((a, b) =>
    files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column
  );
}
