/**
 * IP addresses and networks: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`.
 * @module
 */

/** Bits of an address by family. */
const BITS = { 4: 32, 6: 128 } as const;

/** The prefix of IPv4 peers on IPv6 sockets, `::ffff:0:0/96`, without its last 32 bits. */
const MAPPED_IPV4 = 0xffffn;

/** An address as a number. */
interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** All addresses of one family whose first `prefix` bits equal those of `value`. */
export interface Network extends Address {
  /** Bits, 0 to 32 or 128. */
  readonly prefix: number;
}

/** Reads an address or a network in CIDR notation. Null when it is neither. */
export function parseNetwork(text: string): Network | null {
  const [address, prefix, ...more] = text.split("/");
  const parsed = parseIp(address);
  if (!parsed || more.length > 0) return null;
  const bits = BITS[parsed.family];
  if (prefix === undefined) return { ...parsed, prefix: bits };
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits) return null;
  return { ...parsed, prefix: Number(prefix) };
}

/** Whether a socket's peer address lies in a network. False for a text that is no address. */
export function contains(network: Network, address: string): boolean {
  const found = parseIp(address);
  if (!found || found.family !== network.family) return false;
  const rest = BigInt(BITS[network.family] - network.prefix);
  return found.value >> rest === network.value >> rest;
}

/** The network as text, IPv6 in full. */
export function formatNetwork({ family, value, prefix }: Network): string {
  const [parts, bits, base, separator] = family === 4 ? [4, 8n, 10, "."] : [8, 16n, 16, ":"];
  const mask = (1n << bits) - 1n;
  const text = Array.from({ length: parts }, (_, i) => {
    return (value >> bits * BigInt(parts - 1 - i) & mask).toString(base);
  }).join(separator);
  return `${text}/${prefix}`;
}

/**
 * Reads an address as a number. An IPv4-mapped IPv6 address becomes IPv4. A zone (`%eth0`) is ignored.
 */
function parseIp(text: string): Address | null {
  if (!text.includes(":")) {
    const value = parseIpv4(text);
    return value === null ? null : { family: 4, value };
  }
  const value = parseIpv6(text.replace(/%[^%]*$/, ""));
  if (value === null) return null;
  return value >> 32n === MAPPED_IPV4
    ? { family: 4, value: value & 0xffffffffn }
    : { family: 6, value };
}

/** Reads four decimal numbers. A leading zero is refused, because some programs read it as octal. */
function parseIpv4(text: string): bigint | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    value = value << 8n | BigInt(part);
  }
  return value;
}

/**
 * Reads eight groups of hex digits. `::` stands for one run of zeros; the last two may be written as
 * IPv4.
 */
function parseIpv6(text: string): bigint | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const groups: bigint[][] = [];
  for (const [index, half] of halves.entries()) {
    const found = parseGroups(half, index === halves.length - 1);
    if (!found) return null;
    groups.push(found);
  }
  const [head, tail = []] = groups;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const all = [...head, ...Array<bigint>(missing).fill(0n), ...tail];
  return all.reduce((value, group) => value << 16n | group, 0n);
}

function parseGroups(text: string, last: boolean): bigint[] | null {
  if (text === "") return [];
  const groups: bigint[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (part.includes(".")) {
      const v4 = last && index === parts.length - 1 ? parseIpv4(part) : null;
      if (v4 === null) return null;
      groups.push(v4 >> 16n, v4 & 0xffffn);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return null;
      groups.push(BigInt(`0x${part}`));
    }
  }
  return groups;
}
