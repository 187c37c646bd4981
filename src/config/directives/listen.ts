/**
 * Addresses to listen on: `port`, `ip:port`, `[ip6]:port`.
 * @module
 */
import { quote } from "../grammar/diagnostic.ts";
import type { Remarks } from "./remarks.ts";
import type { ListenAddress } from "../types.ts";

/** The meaning of a bare port: every address. On a host without IPv4 the listener uses `::`. */
export const EVERY_ADDRESS = "0.0.0.0";

const LARGEST_PORT = 65_535;

/** Reads an address. Returns undefined after a `bad` message about word number `arg`. */
export function parseListen(
  word: string,
  arg: number,
  remarks: Remarks,
): ListenAddress | undefined {
  const { host, port } = split(word);
  if (!isAddress(host)) {
    remarks.bad(`listen.ip=${quote(host)} is invalid: ${cureFor(host)}`, arg);
    return undefined;
  }
  const digits = /^\d+/.exec(port)?.[0];
  const number = Number(digits ?? NaN);
  if (digits === undefined || number < 1 || number > LARGEST_PORT) {
    remarks.bad(
      `listen.port=${quote(port)} is invalid: a port is a number from 1 to ${LARGEST_PORT}`,
      arg,
    );
    return undefined;
  }
  if (digits !== port) remarks.odd(`port ${quote(port)} is read as ${digits}, as SRS does`, arg);
  return { host, port: number };
}

function split(word: string): { host: string; port: string } {
  const bracketed = /^\[([^\]]*)\]:(.*)$/s.exec(word);
  if (bracketed) return { host: bracketed[1], port: bracketed[2] };
  const colon = word.lastIndexOf(":");
  if (colon < 0) return { host: EVERY_ADDRESS, port: word };
  const host = word.slice(0, colon);
  // In an IPv6 address without brackets any colon could begin the port.
  return host.includes(":") ? { host: word, port: "" } : { host, port: word.slice(colon + 1) };
}

function isAddress(host: string): boolean {
  return isIpv4(host) || (host.includes(":") && isIpv6(host));
}

function isIpv4(host: string): boolean {
  const parts = host.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}

function isIpv6(host: string): boolean {
  return /^[0-9a-fA-F:.]+$/.test(host) && URL.canParse(`http://[${host}]/`);
}

function cureFor(host: string): string {
  if (host === "localhost") return "write 127.0.0.1 (or [::1])";
  if (host.includes(":")) return "write an IPv6 address in brackets, as in [::1]:1935";
  return "write a numeric IPv4 or IPv6 address, host names are not looked up";
}
