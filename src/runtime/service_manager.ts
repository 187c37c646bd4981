/**
 * What the server tells systemd: that it is ready, that it lives, that it stops (sd_notify(3)). A line of
 * text in a datagram to the socket in NOTIFY_SOCKET. Neither runtime has such sockets among its node:
 * modules: Deno has an unstable API of its own (`net` in deno.json), for Bun it takes libc.
 * @module
 */
import { unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";

/** The socket's family and type (Linux: AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC), and flags of a send. */
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;

/** Sends a datagram to systemd. Never throws: without systemd the server serves all the same. */
export type Notify = (state: string) => void;

/** The part of Deno's unstable API that is used here. */
interface DenoDatagrams {
  listenDatagram?(options: { transport: "unixpacket"; path: string }): {
    send(
      data: Uint8Array,
      to: { transport: "unixpacket"; path: string },
    ): Promise<number>;
  };
}

/** The part of Bun's `bun:ffi` that is used here. */
interface Ffi {
  dlopen(library: string, functions: Record<string, { args: string[]; returns: string }>): {
    symbols: Record<string, (...args: (number | bigint)[]) => number | bigint>;
  };
  ptr(bytes: Uint8Array): number;
}

/**
 * The way to systemd's socket at `path`, the value of NOTIFY_SOCKET.
 * @throws Error when it cannot be had on this runtime.
 */
export async function openNotifySocket(path: string): Promise<Notify> {
  return process.versions.bun === undefined ? throughDeno(path) : await throughLibc(path);
}

function throughDeno(path: string): Notify {
  const { listenDatagram }: DenoDatagrams = Deno;
  if (!listenDatagram) throw new Error("Deno has unix datagrams only with --unstable-net");
  if (path.startsWith("@")) throw new Error("Deno has no abstract unix sockets");
  // Deno wants an address for the sender too, which is a file; no answer comes, so it may go at once.
  const own = `${process.env.RUNTIME_DIRECTORY || tmpdir()}/notify-${process.pid}.sock`;
  const socket = listenDatagram({ transport: "unixpacket", path: own });
  unlinkSync(own);
  return (state) => {
    // A manager that does not listen does not want to know.
    socket.send(new TextEncoder().encode(state), { transport: "unixpacket", path }).catch(() => {});
  };
}

async function throughLibc(path: string): Promise<Notify> {
  const { symbols: libc, ptr } = await openLibc();
  const name = new TextEncoder().encode(path);
  // struct sockaddr_un: the family in 2 bytes, the low one first, and the path. That of an abstract
  // socket begins with NUL, which is written "@".
  const address = new Uint8Array(2 + name.length);
  address[0] = AF_UNIX;
  address.set(name, 2);
  if (path.startsWith("@")) address[2] = 0;
  const socket = libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (Number(socket) < 0) throw new Error("the system gives no unix socket");
  return (state) => {
    const datagram = new TextEncoder().encode(state);
    const [from, to] = [ptr(datagram), ptr(address)];
    libc.sendto(socket, from, datagram.length, MSG_DONTWAIT_NOSIGNAL, to, address.length);
  };
}

async function openLibc() {
  // Not a literal: Deno would look for it when it checks the types.
  const name: string = "bun:ffi";
  const { dlopen, ptr }: Ffi = await import(name);
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
  });
  return { symbols, ptr };
}
