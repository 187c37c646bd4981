/**
 * Ports are exchanged for others while a server runs: all or nothing.
 * @module
 */
import assert from "node:assert/strict";
import { PortSet, type WantedPort } from "../../src/net/port_set.ts";

/** Ports that behave like the kernel's: an address can be had once, `0.0.0.0` stands in the way of all. */
class Kernel {
  readonly bound: string[] = [];
  readonly events: string[] = [];
  /** Attempts that an address still fails after its release, as with Deno's HTTP server. */
  lingering = 0;

  want(host: string, port: number, certificate = ""): WantedPort {
    const name = `${host}:${port}`;
    return {
      key: name + certificate,
      address: { host, port },
      open: () => {
        const taken = this.bound.some((other) => {
          const [otherHost, otherPort] = other.split(":");
          return Number(otherPort) === port &&
            (otherHost === host || otherHost === "0.0.0.0" || host === "0.0.0.0");
        });
        if (taken || (this.lingering > 0 && this.lingering-- > 0)) {
          return Promise.reject(new Error(`${name} is in use`));
        }
        this.bound.push(name);
        this.events.push(`+${name}${certificate}`);
        const release = () => {
          this.bound.splice(this.bound.indexOf(name), 1);
          this.events.push(`-${name}${certificate}`);
        };
        return Promise.resolve({ address: { host, port }, release });
      },
    };
  }

  take(): string {
    return this.events.splice(0).join(" ");
  }
}

const HOME = "127.0.0.1";

Deno.test("ports: what stays is left alone, new ones come before old ones go", async () => {
  const kernel = new Kernel();
  const ports = new PortSet();
  await ports.change([kernel.want(HOME, 1), kernel.want(HOME, 2)]);
  assert.equal(kernel.take(), `+${HOME}:1 +${HOME}:2`);
  await ports.change([kernel.want(HOME, 2), kernel.want(HOME, 3)]);
  assert.equal(kernel.take(), `+${HOME}:3 -${HOME}:1`);
  assert.equal(ports.get(`${HOME}:3`)?.address.port, 3);
  assert.equal(ports.get(`${HOME}:1`), undefined);
});

Deno.test("ports: one that cannot be had leaves everything as it was", async () => {
  const kernel = new Kernel();
  const ports = new PortSet();
  kernel.bound.push(`${HOME}:9`);
  await ports.change([kernel.want(HOME, 1)]);
  kernel.take();
  await assert.rejects(
    ports.change([kernel.want(HOME, 2), kernel.want(HOME, 9)]),
    /127\.0\.0\.1:9 is in use/,
  );
  assert.equal(kernel.take(), `+${HOME}:2 -${HOME}:2`);
  assert.deepEqual(kernel.bound, [`${HOME}:9`, `${HOME}:1`]);
});

Deno.test("ports: one that stands in its successor's way goes first, and comes back if that fails", async () => {
  const kernel = new Kernel();
  const ports = new PortSet();
  await ports.change([kernel.want(HOME, 1)]);
  kernel.lingering = 3;
  await ports.change([kernel.want("0.0.0.0", 1)]);
  assert.equal(kernel.take(), `+${HOME}:1 -${HOME}:1 +0.0.0.0:1`);
  // The same address with another certificate.
  await ports.change([kernel.want("0.0.0.0", 1, " new")]);
  assert.equal(kernel.take(), "-0.0.0.0:1 +0.0.0.0:1 new");
  kernel.bound.push("10.0.0.1:2");
  await assert.rejects(ports.change([kernel.want(HOME, 1), kernel.want("10.0.0.1", 2)]));
  assert.deepEqual(kernel.bound, ["10.0.0.1:2", "0.0.0.0:1"]);
});

Deno.test("ports: what can be done without may be had at the next change", async () => {
  const kernel = new Kernel();
  const ports = new PortSet();
  const wanted = kernel.want(HOME, 1);
  let there = false;
  const optional = { ...wanted, open: () => there ? wanted.open() : Promise.resolve(null) };
  await ports.change([optional]);
  assert.equal(ports.get(wanted.key), undefined);
  there = true;
  await ports.change([optional]);
  assert.equal(ports.get(wanted.key)?.address.port, 1);
  ports.release((key) => key !== wanted.key);
  assert.equal(kernel.bound.length, 1);
  ports.release();
  assert.equal(kernel.bound.length, 0);
});
