/**
 * `struct sockaddr_in` and `sockaddr_in6`, as Linux has them: family (16 bits, little-endian), port (16
 * bits, network order), then 4 bytes of address, or 4 of flow, 16 of address and 4 of scope.
 * @module
 */

import type { ListenAddress } from "../config/types.ts";
import { parseNetwork } from "../config/network.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const IPV4_BYTES = 16;
const IPV6_BYTES = 28;
/** Bytes of the longer one. */
export const SOCKADDR_BYTES: number = IPV6_BYTES;

/** An address for the kernel. */
export interface SocketAddress {
  readonly bytes: Uint8Array;
  readonly ipv6: boolean;
}

/** The address for the kernel; null: the host is a name, or has a zone. */
export function toSockaddr({ host, port }: ListenAddress): SocketAddress | null {
  const network = host.includes("/") || host.includes("%") ? null : parseNetwork(host);
  if (!network) return null;
  const ipv6 = host.includes(":");
  // `::ffff:1.2.3.4` is 1.2.3.4, and has a socket of that family.
  const isIpv4 = network.family === 4;
  const bytes = new Uint8Array(isIpv4 ? IPV4_BYTES : IPV6_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isIpv4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  if (isIpv4) view.setUint32(4, Number(network.value));
  else {
    view.setBigUint64(8, network.value >> 64n);
    view.setBigUint64(16, network.value & 0xffff_ffff_ffff_ffffn);
  }
  return { bytes, ipv6: ipv6 && !isIpv4 };
}

/** The address and port that the kernel wrote; null: another family. */
export function fromSockaddr(bytes: Uint8Array): ListenAddress | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const family = view.getUint16(0, true);
  const port = view.getUint16(2);
  if (family === AF_INET) return { host: ipv4(bytes, 4), port };
  return family === AF_INET6 ? { host: ipv6(bytes, 8), port } : null;
}

function ipv4(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** As RFC 5952 has it; one that stands for an IPv4 address is written as that. */
function ipv6(bytes: Uint8Array, at: number): string {
  const groups = Array.from(
    { length: 8 },
    (_, i) => bytes[at + 2 * i] << 8 | bytes[at + 2 * i + 1],
  );
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return ipv4(bytes, at + 12);
  }
  let [zeros, longest] = [-1, 1];
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groups[to] === 0) to++;
    if (to - from > longest) [zeros, longest] = [from, to - from];
  }
  const text = (some: number[]) => some.map((group) => group.toString(16)).join(":");
  if (zeros < 0) return text(groups);
  return `${text(groups.slice(0, zeros))}::${text(groups.slice(zeros + longest))}`;
}
