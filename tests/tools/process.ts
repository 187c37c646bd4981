/**
 * Child processes of the end-to-end tests: output captured, life bounded.
 * @module
 */

/** Characters of output kept per stream of a child; a server logs far less in a minute of test. */
const OUTPUT_LIMIT = 4 << 20;

/** ms that a child gets to obey a signal before the test fails. */
const STOP_LIMIT_MS = 10_000;

/** ms between two looks at a condition. */
const POLL_MS = 20;

/** Resolves after `ms` milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Waits until `condition` holds and returns what it gave.
 * @throws Error that names `what` when `limitMs` pass first.
 */
export async function until<T>(
  what: string,
  limitMs: number,
  condition: () => T | Promise<T>,
): Promise<Exclude<T, false | null | undefined>> {
  const end = performance.now() + limitMs;
  while (true) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) {
      return value as Exclude<T, false | null | undefined>;
    }
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain for: ${what}`);
    await sleep(POLL_MS);
  }
}

/** `promise`, or an error that names `what` after `limitMs`. */
export async function within<T>(what: string, limitMs: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`waited ${limitMs} ms in vain for: ${what}`)),
      limitMs,
    );
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** A running program with its output collected. */
export class Child {
  /** What it wrote so far. */
  stdout = "";
  stderr = "";
  /** Set when it has ended and its output has been read to the end. */
  exit: Deno.CommandStatus | null = null;
  readonly pid: number;
  /** Resolves when it has ended and its output has been read to the end. */
  readonly ended: Promise<Deno.CommandStatus>;
  readonly #process: Deno.ChildProcess;

  /** Starts `command`; `label` names it in error messages. */
  constructor(
    readonly label: string,
    readonly command: readonly string[],
    options: { env?: Record<string, string>; cwd?: string } = {},
  ) {
    const [program, ...args] = command;
    if (program === undefined) throw new Error(`${label}: empty command`);
    this.#process = new Deno.Command(program, {
      args,
      ...options,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#process.pid;
    const out = this.#collect(this.#process.stdout, (text) => {
      this.stdout = (this.stdout + text).slice(-OUTPUT_LIMIT);
    });
    const err = this.#collect(this.#process.stderr, (text) => {
      this.stderr = (this.stderr + text).slice(-OUTPUT_LIMIT);
    });
    this.ended = Promise.all([this.#process.status, out, err]).then(([status]) => {
      this.exit = status;
      return status;
    });
  }

  async #collect(from: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of from) add(decoder.decode(bytes, { stream: true }));
  }

  /** Sends a signal; a child that has ended already is left alone. */
  signal(name: Deno.Signal): void {
    if (this.exit !== null) return;
    try {
      this.#process.kill(name);
    } catch (error) {
      // It ended between the look and the signal.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Waits for its end. @throws Error with its last output when it takes longer than `limitMs`. */
  async finish(limitMs: number): Promise<Deno.CommandStatus> {
    return await within(`the end of ${this.label}`, limitMs, this.ended);
  }

  /** Signals it and waits for its end. */
  async stop(name: Deno.Signal = "SIGTERM"): Promise<Deno.CommandStatus> {
    this.signal(name);
    return await this.finish(STOP_LIMIT_MS);
  }

  /** Ends it whatever its state, also when it is stopped by SIGSTOP. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  /** Command, exit and the last lines of output, for a failed test's message. */
  report(lines = 60): string {
    const state = this.exit === null
      ? "running"
      : this.exit.signal !== null
      ? `ended by ${this.exit.signal}`
      : `exit ${this.exit.code}`;
    const tail = (text: string) => text.trimEnd().split("\n").slice(-lines).join("\n");
    return `--- ${this.label} (pid ${this.pid}, ${state}): ${this.command.join(" ")}\n` +
      (this.stdout === "" ? "" : `${tail(this.stdout)}\n`) +
      (this.stderr === "" ? "" : `${tail(this.stderr)}\n`);
  }
}

/**
 * Runs a program to its end and returns it.
 * @throws Error with its output when it fails or takes longer than `limitMs`.
 */
export async function run(command: readonly string[], limitMs: number): Promise<Child> {
  const child = new Child(command[0] ?? "", command);
  try {
    const status = await child.finish(limitMs);
    if (!status.success) throw new Error(`failed:\n${child.report()}`);
    return child;
  } finally {
    await child.kill();
  }
}
