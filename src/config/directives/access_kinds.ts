/**
 * The kinds of value in access rules: address rules, networks, origins, hook URLs, secrets.
 * @module
 */
import { quote } from "../grammar/diagnostic.ts";
import type { Kind } from "./kinds.ts";
import { formatNetwork, type Network, parseNetwork } from "../network.ts";
import type { AccessRule, AddressHeader } from "../types.ts";

/** In the order of the documentation. */
const ADDRESS_HEADERS = ["x-forwarded-for", "x-real-ip", "forwarded"] as const;

/** A secret with fewer characters can be guessed by trial. */
const SHORT_SECRET = 16;

/** The error for a word that is no network. */
function noNetwork(word: string): string {
  return `${quote(word)} is neither an address nor a network such as 10.0.0.0/8 or 2001:db8::/32`;
}

/** One `allow` or `deny` of `security`: `publish | play`, then `all`, an address or a network. */
export const accessRuleKind: Kind<AccessRule | null> = {
  label: "publish | play  all | address | network",
  list: true,
  parse([action, where, surplus], remarks) {
    if (action !== "publish" && action !== "play") {
      remarks.bad(`${quote(action)} is neither publish nor play`);
      return undefined;
    }
    if (where === undefined) {
      remarks.bad(`of whom? Expected: ${action} all, an address or a network`);
      return undefined;
    }
    const network = where === "all" ? null : parseNetwork(where);
    if (where !== "all" && !network) {
      remarks.bad(noNetwork(where), 1);
      return undefined;
    }
    if (surplus !== undefined) {
      remarks.bad(`${quote(surplus)} is too much: one address or network for each rule`, 2);
      return undefined;
    }
    return { action, network, text: where };
  },
  format: (rule) => rule ? `${rule.action} ${rule.text}` : "(none)",
};

/** Any number of addresses and networks. */
export const networkListKind: Kind<readonly Network[]> = {
  label: "address | network …",
  list: true,
  parse(words, remarks) {
    const found: Network[] = [];
    words.forEach((word, index) => {
      const network = parseNetwork(word);
      if (network) found.push(network);
      else remarks.bad(noNetwork(word), index);
    });
    return found.length === words.length ? found : undefined;
  },
  format: (value) => value.length === 0 ? "(none)" : value.map(formatNetwork).join(" "),
};

/**
 * Any number of web origins, as browsers send them in `Origin`: scheme, host, and a port that is not
 * the default.
 */
export const originListKind: Kind<readonly string[]> = {
  label: "https://… | http://… …",
  list: true,
  parse(words, remarks) {
    const found: string[] = [];
    words.forEach((word, index) => {
      const url = /^https?:\/\/[^/?#@*]+\/?$/i.test(word) && URL.canParse(word)
        ? new URL(word)
        : null;
      if (url) found.push(url.origin);
      else {
        remarks.bad(
          `${
            quote(shownUrl(word))
          } is no origin such as https://player.example or http://10.0.0.5:8080`,
          index,
        );
      }
    });
    return found.length === words.length ? found : undefined;
  },
  format: (value) => value.length === 0 ? "(none)" : value.join(" "),
};

/** Any number of `http:` and `https:` URLs. The server calls no other scheme (H28). */
export const urlListKind: Kind<readonly string[]> = {
  label: "http://… | https://… …",
  list: true,
  parse(words, remarks) {
    let failed = false;
    words.forEach((word, index) => {
      if (/^https?:\/\//i.test(word) && URL.canParse(word)) return;
      failed = true;
      remarks.bad(`${quote(shownUrl(word))} is no http:// or https:// URL`, index);
    });
    return failed ? undefined : words;
  },
  format: (value) => value.length === 0 ? "(none)" : value.map(shownUrl).join(" "),
};

/** Any number of secrets. The first signs new URLs; all of them are accepted. They are never shown. */
export const secretListKind: Kind<readonly string[]> = {
  label: "secret …",
  list: true,
  parse(words, remarks) {
    words.forEach((word, index) => {
      if (word.length >= SHORT_SECRET) return;
      remarks.odd(
        `a secret of ${word.length} characters can be guessed: ` +
          `take ${SHORT_SECRET} or more, for example from: openssl rand -hex 16`,
        index,
      );
    });
    return words;
  },
  format: (value) => value.length === 0 ? "(none)" : value.join(" "),
};

/** A URL for display, without its password and the values of its query. */
export function shownUrl(url: string): string {
  return url.replace(/^([^/?#]*\/\/[^/?#]*:)[^/?#]*@/, "$1***@").replace(/=[^&#]*/g, "=***");
}

/** A header by which proxies name the client. */
export const addressHeaderKind: Kind<AddressHeader> = {
  label: ADDRESS_HEADERS.join(" | "),
  list: false,
  parse([word], remarks) {
    const found = ADDRESS_HEADERS.find((header) => header === word.toLowerCase());
    if (found === undefined) {
      remarks.bad(`${quote(word)} is none of ${ADDRESS_HEADERS.join(", ")}`);
    }
    return found;
  },
  format: (value) => value ?? "(none)",
};
