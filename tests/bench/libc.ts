/**
 * What the load client needs of the kernel, called directly: sockets, epoll, the monotonic clock.
 *
 * A client that costs as much as the server under test would measure itself. Through the runtime's own
 * sockets a read costs 6 to 10 µs; like this it is one `recv` into one buffer for all sockets, nothing is
 * allocated, and no compiler is needed. Linux only, as is /proc, where the CPU figures come from.
 * @module
 */

import { EpollSet } from "../../src/runtime/epoll.ts";

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const CLOCK_MONOTONIC = 1;

const LIBRARIES = Deno.build.arch === "aarch64"
  ? ["libc.so.6", "libc.musl-aarch64.so.1"]
  : ["libc.so.6", "libc.musl-x86_64.so.1"];

function open(name: string) {
  return Deno.dlopen(name, {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
    // The results are far below 2^31; as 64 bits they would be a bigint each time. The sizes must be
    // bigints: a number takes the slow way.
    recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
    send: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
    read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    epoll_create1: { parameters: ["i32"], result: "i32" },
    epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
    epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
    clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  });
}

function openFirst(): ReturnType<typeof open>["symbols"] {
  for (const name of LIBRARIES) {
    try {
      return open(name).symbols;
    } catch {
      // The other C library, then.
    }
  }
  throw new Error(`none of ${LIBRARIES.join(", ")} can be loaded; the load client needs Linux`);
}

const libc = openFirst();

/** Seconds (low half of 64 bits) and nanoseconds. */
const timespec = new Uint32Array(4);

/** CLOCK_MONOTONIC in whole µs: the same clock in every process of the machine. */
export function nowUs(): number {
  libc.clock_gettime(CLOCK_MONOTONIC, timespec);
  return timespec[0] * 1e6 + Math.floor(timespec[2] / 1000);
}

/**
 * A non-blocking socket on its way to a loopback port. `receiveBytes` sets the size of the kernel's
 * receive buffer; 0 leaves it. Success or failure comes as an epoll event.
 * @throws Error when no more sockets can be opened.
 */
export function connectTo(port: number, receiveBytes = 0): number {
  const fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) throw new Error("socket() failed: raise the limit on open files (ulimit -n)");
  const on = new Uint32Array([1]);
  libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, on, 4);
  if (receiveBytes > 0) {
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, new Uint32Array([receiveBytes]), 4);
  }
  const address = new Uint8Array(16);
  address[0] = AF_INET;
  address.set([port >> 8, port & 0xff, 127, 0, 0, 1], 2);
  libc.connect(fd, address, address.length);
  return fd;
}

/** Up to `limit` bytes received into `into`; 0 at the end of the stream, negative when there is nothing or an error. */
export function receive(fd: number, into: Uint8Array<ArrayBuffer>, limit: bigint): number {
  return libc.recv(fd, into, limit, MSG_DONTWAIT);
}

/** Bytes that the kernel took; negative when it takes none. */
export function transmit(fd: number, bytes: Uint8Array<ArrayBuffer>): number {
  return libc.send(fd, bytes, BigInt(bytes.length), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/** `read(2)`, for standard input. */
export function readFile(fd: number, into: Uint8Array<ArrayBuffer>): number {
  return libc.read(fd, into, BigInt(into.length));
}

/** Closes a socket. */
export function closeFile(fd: number): void {
  libc.close(fd);
}

/** A new set of descriptors to be watched. */
export function newPoller(): EpollSet {
  return new EpollSet(libc);
}
