/**
 * The kinds of value of directives, and how each is read from the words of a file. SRS reads numbers
 * and booleans leniently, as C does. This server keeps SRS's meaning and warns. A word without meaning
 * is refused.
 * @module
 */
import type { Remarks } from "./remarks.ts";
import { quote } from "../grammar/diagnostic.ts";
import type { ListenAddress } from "../types.ts";
import { parseListen } from "./listen.ts";

/** How one kind of value is read and shown. */
export interface Kind<T> {
  /** The possible words, for messages and the reference, for example `on | off`. */
  readonly label: string;
  /** Whether it takes more than one word. */
  readonly list: boolean;
  /** Reads one or more words. Returns undefined after a `bad` message. */
  parse(words: readonly string[], remarks: Remarks): T | undefined;
  /** Writes the value as in a file. */
  format(value: T): string;
}

/** Bounds of a number, inclusive. */
export interface Range {
  readonly min: number;
  readonly max: number;
  /**
   * What happens below `min`: the number is raised to it, or refused. Above `max` it is always lowered.
   */
  readonly below: "cut" | "refuse";
}

/**
 * The largest number of any setting: the largest C int, and the longest delay in ms of a timer. A
 * longer delay would fire at once in both runtimes.
 */
export const LARGEST = 2_147_483_647;

/** SRS's two kinds of boolean: each word except the opposite one means the preferred value. */
export function booleanKind(prefer: "on" | "off"): Kind<boolean> {
  const preferred = prefer === "on";
  return {
    label: "on | off",
    list: false,
    parse([word], remarks) {
      if (word === "on") return true;
      if (word === "off") return false;
      remarks.odd(`${quote(word)} is neither on nor off; it is read as ${prefer}, as SRS does`);
      return preferred;
    },
    format: (value) => value ? "on" : "off",
  };
}

/** A whole number, read as by C's atoi: leading digits count, and the rest is ignored. */
export function integerKind(range: Range): Kind<number> {
  return numberKind(/^\s*[+-]?\d+/, "a whole number", range);
}

/** A decimal number, read as by C's atof. */
export function decimalKind(range: Range): Kind<number> {
  return numberKind(/^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/i, "a number", range);
}

function numberKind(pattern: RegExp, what: string, range: Range): Kind<number> {
  return {
    label: what,
    list: false,
    parse([word], remarks) {
      const digits = pattern.exec(word)?.[0];
      if (digits === undefined) {
        remarks.bad(`${quote(word)} is not ${what}`);
        return undefined;
      }
      if (digits.length < word.length) {
        remarks.odd(
          `${quote(word)} is read as ${quote(digits.trim())}: ${what} without unit is expected`,
        );
      }
      return bounded(Number(digits), range, remarks);
    },
    format: String,
  };
}

function bounded(value: number, { min, max, below }: Range, remarks: Remarks): number | undefined {
  if (value < min && below === "refuse") {
    remarks.bad(`${value} is too small`);
    return undefined;
  }
  if (value >= min && value <= max) return value;
  const used = value < min ? min : max;
  remarks.odd(`${value} is outside ${min}..${max}; ${used} is used`);
  return used;
}

/** One word of several, each with a meaning. Any other word means `otherwise`. */
export function choiceKind<T>(words: ReadonlyMap<string, T>, otherwise: T): Kind<T> {
  const format = (value: T) =>
    [...words].find(([, meaning]) => meaning === value)?.[0] ?? String(value);
  const label = [...words.keys()].join(" | ");
  return {
    label,
    list: false,
    parse([word], remarks) {
      const meaning = words.get(word);
      if (meaning !== undefined) return meaning;
      remarks.odd(
        `${quote(word)} is none of ${label}; it is read as ${format(otherwise)}, as SRS does`,
      );
      return otherwise;
    },
    format,
  };
}

/** Most workers. No machine needs more. */
const MAX_WORKERS = 256;

/** A number of threads that serve RTMP. */
export const workersKind: Kind<number | "auto"> = {
  label: "a number of workers | auto",
  list: false,
  parse([word], remarks) {
    if (word === "auto") return word;
    if (/^\d+$/.test(word) && Number(word) > 0) {
      return bounded(Number(word), { min: 1, max: MAX_WORKERS, below: "refuse" }, remarks);
    }
    remarks.bad(`${quote(word)} is neither a number of workers, 1 or more, nor auto`);
    return undefined;
  },
  format: String,
};

/** One word of any kind. */
export const textKind: Kind<string> = {
  label: "text",
  list: false,
  parse: ([word]) => word,
  format: (value) => value === "" ? "(none)" : value,
};

/** Any number of words. */
export const textListKind: Kind<readonly string[]> = {
  label: "text …",
  list: true,
  parse: (words) => words,
  format: (value) => value.length === 0 ? "(none)" : value.join(" "),
};

/** One address to listen on. */
export const listenKind: Kind<ListenAddress> = {
  label: "port | ip:port | [ip6]:port",
  list: false,
  parse: ([word], remarks) => parseListen(word, 0, remarks),
  format: formatListen,
};

/** One or more addresses to listen on. A repeated address is used once. */
export const listenListKind: Kind<readonly ListenAddress[]> = {
  label: `${listenKind.label} …`,
  list: true,
  parse(words, remarks) {
    const found = new Map<string, ListenAddress>();
    let failed = false;
    words.forEach((word, index) => {
      const address = parseListen(word, index, remarks);
      if (!address) return void (failed = true);
      const key = formatListen(address);
      if (found.has(key)) remarks.odd(`${quote(word)} is there twice; it is used once`, index);
      found.set(key, address);
    });
    return failed ? undefined : [...found.values()];
  },
  format: (value) => value.length === 0 ? "(none)" : value.map(formatListen).join(" "),
};

/** Formats `ip:port`, with an IPv6 address in brackets. */
export function formatListen({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
