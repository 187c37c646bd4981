/**
 * The kinds of value that a directive can have, and how each is read from the words of a file. SRS reads
 * numbers and booleans as C does, leniently: we keep its meaning and say so; what has no meaning is refused.
 * @module
 */
import { quote } from "./diagnostic.ts";
import type { ListenAddress } from "./types.ts";
import { parseListen } from "./listen.ts";

/** Takes remarks about the words of one directive. `arg` is the index of the word, 0 when not given. */
export interface Remarks {
  /** The word is odd; it is used as SRS would use it. */
  odd(text: string, arg?: number): void;
  /** The word cannot be used. */
  bad(text: string, arg?: number): void;
}

/** How one kind of value is read and shown. */
export interface Kind<T> {
  /** What may stand in the file, for messages and the reference, for example `on | off`. */
  readonly label: string;
  /** Whether it takes more than one word. */
  readonly list: boolean;
  /** The value of at least one word; undefined after a `bad` remark. */
  parse(words: readonly string[], remarks: Remarks): T | undefined;
  /** The value as it would stand in a file. */
  format(value: T): string;
}

/** Bounds of a number, inclusive. */
export interface Range {
  readonly min: number;
  readonly max: number;
  /** What happens below `min`; above `max` a number is always cut. */
  readonly below: "cut" | "refuse";
}

/**
 * The largest number of any setting: a C int, and also the longest delay in ms that a timer of either
 * runtime takes (a longer one would fire at once).
 */
export const LARGEST = 2_147_483_647;

/** SRS's two flavours of boolean: any word but the opposite one means the preferred value. */
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

/** A whole number, read as C's atoi does: leading digits count, the rest is ignored. */
export function integerKind(range: Range): Kind<number> {
  return numberKind(/^\s*[+-]?\d+/, "a whole number", range);
}

/** A decimal number, read as C's atof does. */
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

/** One word of a few, each with its meaning; any other word means `otherwise`. */
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

/** Most workers that can be asked for: more than any machine has use for. */
const MAX_WORKERS = 256;

/** How many threads serve RTMP. */
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

/** Any one word. */
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

/** One or more addresses to listen on; a repeated one is used once. */
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

/** `ip:port`, an IPv6 address in brackets. */
export function formatListen({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
