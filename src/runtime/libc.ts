/**
 * The kernel's socket calls, without the runtime in between.
 *
 * A write through `node:net` costs 2 µs more on Deno, and 1 µs more on Bun, than the system call in it:
 * a promise or a request object, a stream's bookkeeping, and what the collector has to do about them
 * later. That is a fifth of what a player costs. Linux only, and on Deno only with --allow-ffi and a
 * runtime that tells a socket's descriptor; everywhere else `openLibc` gives null, and the runtime's own
 * sockets do all of it.
 * @module
 */

import { MAX_EVENTS, MAX_TEXT_BYTES } from "./limits.ts";
import type net from "node:net";
import process from "node:process";
import type { DescriptorSet } from "./descriptors.ts";

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
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

/** Bits of an epoll event: readable, writable, failed, both sides closed. */
export const Epoll = { IN: 1, OUT: 4, ERR: 8, HUP: 16 } as const;

/** `struct epoll_event` is packed on x86-64 and nowhere else: bytes of one, and of its data's offset. */
const EVENT_BYTES = process.arch === "x64" ? 12 : 16;
const EVENT_DATA = process.arch === "x64" ? 4 : 8;

/** What the kernel says of connections that ended badly: Linux's numbers. */
const ERRORS: Readonly<Record<number, string>> = {
  32: "EPIPE",
  103: "ECONNABORTED",
  104: "ECONNRESET",
  110: "ETIMEDOUT",
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
  epoll_create1: ["i32"],
  epoll_ctl: ["i32", "i32", "i32", "buffer"],
  epoll_wait: ["i32", "buffer", "i32", "i32"],
  signal: ["i32", "usize"],
  open: ["buffer", "i32"],
  read: ["i32", "buffer", "usize"],
  readlink: ["buffer", "buffer", "usize"],
} as const;

type Argument = number | bigint | Uint8Array | Int32Array;
/** All of them return an `int`, a size far below 2^31, or a pointer of which only -1 matters. */
type Functions = Record<keyof typeof FUNCTIONS, (...args: Argument[]) => number>;

/** Those for epoll. */
export interface EpollFunctions {
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Uint8Array<ArrayBuffer>): number;
  epoll_wait(epoll: number, events: Uint8Array<ArrayBuffer>, most: number, ms: number): number;
}

/** The part of Deno's API that is used here. */
interface DenoFfi {
  permissions: { querySync(permission: { name: "ffi"; path: string }): { state: string } };
  dlopen(
    library: string,
    functions: Record<string, { parameters: readonly string[]; result: string }>,
  ): { symbols: Functions };
}

/** The part of `bun:ffi` that is used here. */
interface BunFfi {
  dlopen(
    library: string,
    functions: Record<string, { args: readonly string[]; returns: string }>,
  ): { symbols: Functions };
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
  readonly #int = new Int32Array(1);
  readonly #length = new Int32Array(1);
  /** The last bytes that were sent, and their number: players share their views. */
  #lastBytes: Uint8Array | null = null;
  #lastSize = 0n;

  constructor(functions: Functions) {
    this.#c = functions;
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
    const fd = this.#copyOf(socket);
    if (fd < 0 || !noted || noted.add(fd)) return fd;
    this.#c.close(fd);
    return -1;
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
    const bytes = new Uint8Array(MAX_TEXT_BYTES);
    const length = this.#c.readlink(cString(path), bytes, BigInt(bytes.length));
    return length < 0 ? null : new TextDecoder().decode(bytes.subarray(0, length));
  }

  /** A new set of descriptors to be watched. */
  poller(): EpollSet {
    return new EpollSet(this.#c);
  }

  #set(fd: number, level: number, option: number, value: number): void {
    this.#int[0] = value;
    this.#c.setsockopt(fd, level, option, this.#int, 4);
  }
}

/** An epoll instance, level-triggered. */
export class EpollSet {
  readonly #c: EpollFunctions;
  readonly #fd: number;
  readonly #events = new Uint8Array(EVENT_BYTES * MAX_EVENTS);
  readonly #view = new DataView(this.#events.buffer);
  readonly #change = new Uint8Array(EVENT_BYTES);
  readonly #changeView = new DataView(this.#change.buffer);

  /** @throws Error when no file can be opened any more. */
  constructor(functions: EpollFunctions) {
    this.#c = functions;
    this.#fd = functions.epoll_create1(EPOLL_CLOEXEC);
    if (this.#fd < 0) {
      throw new Error("epoll_create1 failed: raise the limit on open files (ulimit -n)");
    }
    noted?.add(this.#fd);
  }

  /** Watches a descriptor for these events, for failures always; false: it cannot be watched. */
  add(fd: number, events: number): boolean {
    return this.#control(EPOLL_CTL_ADD, fd, events);
  }

  /** Watches it for others. */
  change(fd: number, events: number): void {
    this.#control(EPOLL_CTL_MOD, fd, events);
  }

  /** Watches it no more. */
  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0);
  }

  /** What has happened, or does within `ms`: the number of events, `MAX_EVENTS` at most. */
  take(ms = 0): number {
    return Math.max(0, this.#c.epoll_wait(this.#fd, this.#events, MAX_EVENTS, ms));
  }

  /** Descriptor of an event that was taken. */
  fdAt(index: number): number {
    return this.#view.getInt32(index * EVENT_BYTES + EVENT_DATA, true);
  }

  /** What happened to it, `Epoll` bits. */
  eventsAt(index: number): number {
    return this.#view.getUint32(index * EVENT_BYTES, true);
  }

  #control(operation: number, fd: number, events: number): boolean {
    this.#changeView.setUint32(0, events, true);
    this.#changeView.setInt32(EVENT_DATA, fd, true);
    return this.#c.epoll_ctl(this.#fd, operation, fd, this.#change) === 0;
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

function throughDeno(): (library: string) => Functions {
  const deno = (globalThis as { Deno?: unknown }).Deno as DenoFfi;
  const functions = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, parameters]) => [name, { parameters, result: "i32" }]),
  );
  return (path) => {
    // Without a question at the terminal.
    const { state } = deno.permissions.querySync({ name: "ffi", path });
    if (state !== "granted") throw new Error(`${path} may not be loaded`);
    return deno.dlopen(path, functions).symbols;
  };
}

async function throughBun(): Promise<(library: string) => Functions> {
  // Not a literal: Deno would look for it when it checks the types.
  const name: string = "bun:ffi";
  const { dlopen }: BunFfi = await import(name);
  const bunType = (type: string) => type === "buffer" ? "ptr" : type;
  const functions = Object.fromEntries(
    Object.entries(FUNCTIONS).map((
      [name, parameters],
    ) => [name, { args: parameters.map(bunType), returns: "i32" }]),
  );
  return (library) => dlopen(library, functions).symbols;
}
