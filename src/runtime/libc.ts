/**
 * The kernel's socket calls, without the runtime in between.
 *
 * A write through `node:net` costs 2 µs more on Deno, and 1 µs more on Bun, than the system call in it:
 * a promise or a request object, a stream's bookkeeping, and what the collector has to do about them
 * later. A wake-up through the runtime's loop costs 150 to 300 µs. Linux only, and on Deno only with
 * --allow-ffi; everywhere else `openLibc` gives null, and the runtime's own sockets do all of it.
 * @module
 */

import { MAX_LINK_BYTES, MAX_TEXT_BYTES } from "./limits.ts";
import type net from "node:net";
import process from "node:process";
import type { DescriptorSet } from "./descriptors.ts";
import { EpollSet, type WaitAside } from "./epoll.ts";

const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_RCVLOWAT = 18;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SHUT_WR = 1;
const SHUT_RDWR = 2;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const F_DUPFD_CLOEXEC = 1030;
const O_CLOEXEC = 0o2000000;
const SIG_IGN = 1n;
const SIG_ERR = -1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SO_REUSEADDR = 2;
const SO_KEEPALIVE = 9;
const SO_REUSEPORT = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const TCP_KEEPIDLE = 4;
const EFD_NONBLOCK_CLOEXEC = 0o2004000;

/** What the kernel says of connections that ended badly: Linux's numbers. */
const ERRORS: Readonly<Record<number, string>> = {
  32: "EPIPE",
  101: "ENETUNREACH",
  103: "ECONNABORTED",
  104: "ECONNRESET",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  113: "EHOSTUNREACH",
};
const ECONNRESET = 104;

/**
 * Where the functions are: Debian and its kin, Fedora and its, Arch; then wherever the loader finds them,
 * with glibc and with musl. Deno may be allowed to load the former and nothing else.
 */
export const C_LIBRARIES: readonly string[] = [
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/aarch64-linux-gnu/libc.so.6",
  "/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
];
const OTHER_LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/** What is called: parameters and result, in Deno's words. Sizes are bigints: numbers take a slow way. */
const FUNCTIONS = {
  send: ["i32", "buffer", "usize", "i32"],
  recv: ["i32", "buffer", "usize", "i32"],
  close: ["i32"],
  shutdown: ["i32", "i32"],
  fcntl: ["i32", "i32", "i32"],
  setsockopt: ["i32", "i32", "i32", "buffer", "u32"],
  getsockopt: ["i32", "i32", "i32", "buffer", "buffer"],
  getpeername: ["i32", "buffer", "buffer"],
  getsockname: ["i32", "buffer", "buffer"],
  socket: ["i32", "i32", "i32"],
  bind: ["i32", "buffer", "u32"],
  listen: ["i32", "i32"],
  accept4: ["i32", "buffer", "buffer", "i32"],
  connect: ["i32", "buffer", "u32"],
  eventfd: ["u32", "i32"],
  epoll_create1: ["i32"],
  epoll_ctl: ["i32", "i32", "i32", "buffer"],
  epoll_wait: ["i32", "buffer", "i32", "i32"],
  signal: ["i32", "usize"],
  open: ["buffer", "i32"],
  read: ["i32", "buffer", "usize"],
  write: ["i32", "buffer", "usize"],
  readlink: ["buffer", "buffer", "usize"],
} as const;

type Argument = number | bigint | Uint8Array | Int32Array;
/** All of them return an `int`, a size far below 2^31, or a pointer of which only -1 matters. */
type Functions = Record<keyof typeof FUNCTIONS, (...args: Argument[]) => number>;

/** What glibc alone has: gives the kernel what `malloc` keeps for later, but for some bytes. */
type Trim = (keep: bigint) => number;
const TRIM = "malloc_trim";
const TRIM_PARAMETERS = ["usize"] as const;

/** What a library gives: its functions, one of them that waits in another thread, and what not all have. */
interface Loaded {
  readonly functions: Functions;
  readonly aside: WaitAside;
  readonly trim: Trim | null;
}

/** The part of Deno's API that is used here. */
interface DenoFfi {
  permissions: { querySync(permission: { name: "ffi"; path: string }): { state: string } };
  dlopen<T = Functions>(
    library: string,
    functions: Record<
      string,
      { parameters: readonly string[]; result: string; nonblocking?: boolean }
    >,
  ): { symbols: T };
}

/** The part of `bun:ffi` that is used here. */
interface BunFfi {
  dlopen<T = Functions>(
    library: string,
    functions: Record<string, { args: readonly string[]; returns: string }>,
  ): { symbols: T };
}

/**
 * The handle below a socket of `node:net`: Deno's lends a copy of its descriptor, Bun's shows it; and
 * reading is stopped and started in two ways.
 */
interface Handle {
  fdForIpc?(): number;
  readStop?(): number;
  readStart?(): number;
  fd?: number;
  pause?(): void;
  resume?(): void;
}

function handleOf(socket: net.Socket): Handle | null {
  return (socket as { _handle?: Handle | null })._handle ?? null;
}

/** Nothing is read for a socket any more. On Deno a paused stream is enough, on Bun it is not. */
export function stopReading(socket: net.Socket): void {
  const handle = handleOf(socket);
  if (handle?.readStop) handle.readStop();
  else handle?.pause?.();
}

/** The runtime reads again. */
export function startReading(socket: net.Socket): void {
  const handle = handleOf(socket);
  if (handle?.readStart) handle.readStart();
  else handle?.resume?.();
}

function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

/** System calls on sockets. Results below 0 are failures. */
export class Libc {
  readonly #c: Functions;
  readonly #aside: WaitAside;
  readonly #trim: Trim | null;
  readonly #int = new Int32Array(1);
  readonly #length = new Int32Array(1);
  /** The last bytes that were sent, and their number: players share their views. */
  #lastBytes: Uint8Array | null = null;
  #lastSize = 0n;

  constructor({ functions, aside, trim }: Loaded) {
    this.#c = functions;
    this.#aside = aside;
    this.#trim = trim;
  }

  /** Bytes that the kernel took; below 0 when it takes none. */
  send(fd: number, bytes: Uint8Array): number {
    if (bytes !== this.#lastBytes) {
      this.#lastBytes = bytes;
      this.#lastSize = BigInt(bytes.length);
    }
    return this.#c.send(fd, bytes, this.#lastSize, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  /** Bytes received; 0 at the end of the stream, below 0 when there are none. `size`: of `into`. */
  receive(fd: number, into: Uint8Array, size: bigint): number {
    return this.#c.recv(fd, into, size, MSG_DONTWAIT);
  }

  /** Closes a descriptor. */
  close(fd: number): void {
    noted?.delete(fd);
    this.#c.close(fd);
  }

  /** Closes what a thread that has ended has left. */
  closeAll(left: DescriptorSet): void {
    for (const fd of left.take()) this.#c.close(fd);
  }

  /**
   * Ends the connections that a thread has left which may run on for a while: it still knows their
   * descriptors, and no other connection may get these numbers.
   */
  endAll(left: DescriptorSet): void {
    for (const fd of left.take()) this.#c.shutdown(fd, SHUT_RDWR);
  }

  /** Writes the address of a connection's peer, a `struct sockaddr`; false: this is none. */
  peerOf(fd: number, address: Uint8Array): boolean {
    this.#length[0] = address.length;
    return this.#c.getpeername(fd, address, this.#length) === 0;
  }

  /** Writes our own address of a socket, a `struct sockaddr`; false: this is no socket. */
  localOf(fd: number, address: Uint8Array): boolean {
    this.#length[0] = address.length;
    return this.#c.getsockname(fd, address, this.#length) === 0;
  }

  /**
   * A socket that listens on a `struct sockaddr`, with `reusePort` together with others that do; below 0
   * when there is none. `ipv6`: its family, and it takes IPv4 as well, as the runtimes' do.
   */
  listener(
    address: Uint8Array,
    { ipv6, reusePort, backlog }: { ipv6: boolean; reusePort: boolean; backlog: number },
  ): number {
    const fd = this.#socket(ipv6);
    if (fd < 0) return fd;
    this.#set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (reusePort) this.#set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (ipv6) this.#set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (this.#c.bind(fd, address, address.length) === 0 && this.#c.listen(fd, backlog) === 0) {
      return fd;
    }
    this.close(fd);
    return -1;
  }

  /** The next connection of a listener, whose peer's address is written; below 0: there is none. */
  accept(listener: number, peer: Uint8Array): number {
    this.#length[0] = peer.length;
    const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    return this.#kept(this.#c.accept4(listener, peer, this.#length, flags));
  }

  /** A socket that is about to be connected to a `struct sockaddr`; below 0 when there is none. */
  connecting(address: Uint8Array, ipv6: boolean): number {
    const fd = this.#socket(ipv6);
    // It says EINPROGRESS; a failure shows itself to the next look.
    if (fd >= 0) this.#c.connect(fd, address, address.length);
    return fd;
  }

  /** The kernel asks after `ms` of silence whether the peer is still there. */
  setKeepAlive(fd: number, ms: number): void {
    this.#set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    this.#set(fd, IPPROTO_TCP, TCP_KEEPIDLE, Math.ceil(ms / 1000));
  }

  /** A descriptor that is readable while it has been `ring` and not `silence`d; below 0: there is none. */
  bell(): number {
    return this.#kept(this.#c.eventfd(0, EFD_NONBLOCK_CLOEXEC));
  }

  /** See `bell`. */
  ring(bell: number): void {
    this.#c.write(bell, new Uint8Array(BigUint64Array.of(1n).buffer), 8n);
  }

  /** See `bell`. */
  silence(bell: number): void {
    this.#c.read(bell, new Uint8Array(8), 8n);
  }

  /** Ends a connection in both directions, whichever part has the descriptor. */
  cutOff(fd: number): void {
    this.#c.shutdown(fd, SHUT_RDWR);
  }

  /** Nothing is sent any more. */
  endSending(fd: number): void {
    this.#c.shutdown(fd, SHUT_WR);
  }

  /** Switches TCP_NODELAY. */
  setNoDelay(fd: number, on: boolean): void {
    this.#set(fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
  }

  /** Bytes that must have come before a waiting reader is woken. */
  setReceiveLowWater(fd: number, bytes: number): void {
    this.#set(fd, SOL_SOCKET, SO_RCVLOWAT, bytes);
  }

  /** The number of the connection's error, once; 0: it has none. */
  takeError(fd: number): number {
    this.#length[0] = 4;
    this.#c.getsockopt(fd, SOL_SOCKET, SO_ERROR, this.#int, this.#length);
    return this.#int[0];
  }

  /**
   * A descriptor of our own for the connection of a socket of `node:net`, which stays whatever becomes of
   * that; below 0 when there is none. Not for TLS.
   */
  duplicate(socket: net.Socket): number {
    return this.#kept(this.#copyOf(socket));
  }

  #copyOf(socket: net.Socket): number {
    const handle = handleOf(socket);
    if (process.versions.bun === undefined) return handle?.fdForIpc?.() ?? -1;
    const fd = handle?.fd ?? -1;
    return fd < 0 ? -1 : this.#c.fcntl(fd, F_DUPFD_CLOEXEC, 0);
  }

  /** From now on this signal does nothing, whatever was registered for it; false: the kernel refuses. */
  ignoreSignal(signal: number): boolean {
    return this.#c.signal(signal, SIG_IGN) !== SIG_ERR;
  }

  /**
   * Gives the kernel the memory that is free: of a burst of large messages, glibc keeps tens of
   * megabytes between what is in use. It takes about 1 ms.
   */
  giveBack(): void {
    this.#trim?.(0n);
  }

  /**
   * The beginning of a file below `/proc`, which Deno lets only a program with all permissions read;
   * null when it is not there.
   */
  readText(path: string): string | null {
    const fd = this.#c.open(cString(path), O_CLOEXEC);
    if (fd < 0) return null;
    const bytes = new Uint8Array(MAX_TEXT_BYTES);
    const length = this.#c.read(fd, bytes, BigInt(bytes.length));
    this.#c.close(fd);
    return length < 0 ? null : new TextDecoder().decode(bytes.subarray(0, length));
  }

  /** Where a link below `/proc` leads; null when it is not there, or not for this user. */
  readLink(path: string): string | null {
    const bytes = new Uint8Array(MAX_LINK_BYTES);
    const length = this.#c.readlink(cString(path), bytes, BigInt(bytes.length));
    return length < 0 ? null : new TextDecoder().decode(bytes.subarray(0, length));
  }

  /** A new set of descriptors to be watched. */
  poller(): EpollSet {
    const set = new EpollSet(this.#c, this.#aside);
    this.#kept(set.fd);
    return set;
  }

  #socket(ipv6: boolean): number {
    const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    return this.#kept(this.#c.socket(ipv6 ? AF_INET6 : AF_INET, type, 0));
  }

  /** The same descriptor, noted where this thread's are; below 0 when that is not possible. */
  #kept(fd: number): number {
    if (fd < 0 || !noted || noted.add(fd)) return fd;
    this.#c.close(fd);
    return -1;
  }

  #set(fd: number, level: number, option: number, value: number): void {
    this.#int[0] = value;
    this.#c.setsockopt(fd, level, option, this.#int, 4);
  }
}

/**
 * The error of a connection as the runtimes word it, from its number; 0: it was reset, and told
 * already.
 */
export function connectionError(code: number): Error {
  const name = ERRORS[code || ECONNRESET] ?? `error ${code}`;
  return Object.assign(new Error(`read ${name}`), { code: name });
}

/** Where this thread notes its descriptors; null: they end with it, because the process does. */
let noted: DescriptorSet | null = null;

/** From now on this thread's descriptors are noted there. */
export function noteDescriptors(set: DescriptorSet): void {
  noted = set;
}

let opened: Promise<Libc | null> | undefined;

/** The C library, once for each thread; null where it cannot be had. */
export function openLibc(): Promise<Libc | null> {
  opened ??= open();
  return opened;
}

async function open(): Promise<Libc | null> {
  if (process.platform !== "linux") return null;
  const dlopen = process.versions.bun === undefined ? throughDeno() : await throughBun();
  for (const name of [...C_LIBRARIES, ...OTHER_LIBRARIES]) {
    try {
      return new Libc(dlopen(name));
    } catch {
      // It is elsewhere, or may not be loaded.
    }
  }
  return null;
}

/** What `load` gives; null when the library does not have it. */
function ifThere<T>(load: () => T): T | null {
  try {
    return load();
  } catch {
    return null;
  }
}

function throughDeno(): (library: string) => Loaded {
  const deno = (globalThis as { Deno?: unknown }).Deno as DenoFfi;
  const functions = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, parameters]) => [name, { parameters, result: "i32" }]),
  );
  const waiting = { epoll_wait: { ...functions.epoll_wait, nonblocking: true } };
  const trimOf = (path: string): Trim | null => {
    const trim = { [TRIM]: { parameters: TRIM_PARAMETERS, result: "i32" } };
    return ifThere(() => deno.dlopen<{ [TRIM]: Trim }>(path, trim).symbols[TRIM]);
  };
  return (path) => {
    // Without a question at the terminal.
    const { state } = deno.permissions.querySync({ name: "ffi", path });
    if (state !== "granted") throw new Error(`${path} may not be loaded`);
    const { symbols } = deno.dlopen<{ epoll_wait: NonNullable<WaitAside> }>(path, waiting);
    const { symbols: all } = deno.dlopen(path, functions);
    return { functions: all, aside: symbols.epoll_wait, trim: trimOf(path) };
  };
}

async function throughBun(): Promise<(library: string) => Loaded> {
  // Not a literal: Deno would look for it when it checks the types.
  const name: string = "bun:ffi";
  const { dlopen }: BunFfi = await import(name);
  const trimOf = (library: string): Trim | null => {
    const trim = { [TRIM]: { args: TRIM_PARAMETERS, returns: "i32" } };
    return ifThere(() => dlopen<{ [TRIM]: Trim }>(library, trim).symbols[TRIM]);
  };
  const bunType = (type: string) => type === "buffer" ? "ptr" : type;
  const functions = Object.fromEntries(
    Object.entries(FUNCTIONS).map((
      [name, parameters],
    ) => [name, { args: parameters.map(bunType), returns: "i32" }]),
  );
  return (library) => ({
    functions: dlopen(library, functions).symbols,
    aside: null,
    trim: trimOf(library),
  });
}
