/**
 * A hook server: writes down what it is told, and answers as the test wants.
 * @module
 */
import { until } from "./process.ts";

/** What one call said. */
export interface HookCall {
  readonly path: string;
  readonly method: string;
  readonly headers: Headers;
  /** The body as it came. */
  readonly text: string;
  readonly body: Readonly<Record<string, string | number>>;
}

/** What to answer to a call; the default is `0`. */
export type Reply = (call: HookCall) => Response | Promise<Response>;

/** ms that a call may take to come. */
const CALL_LIMIT_MS = 10_000;

/** ms for answers under way when it is stopped. */
const STOP_MS = 500;

const YES: Reply = () => new Response("0");

/** A server on a loopback port. */
export class HookServer {
  /** In the order in which they came. */
  readonly calls: HookCall[] = [];
  /** Calls that have come and have not been answered; the most at once. */
  open = 0;
  mostOpen = 0;
  reply: Reply;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(
    reply: Reply = YES,
    tls: { readonly cert: string; readonly key: string } | null = null,
  ) {
    this.reply = reply;
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...tls };
    this.#server = Deno.serve(options, async (request) => {
      const text = await request.text();
      const call: HookCall = {
        path: new URL(request.url).pathname,
        method: request.method,
        headers: request.headers,
        text,
        body: JSON.parse(text),
      };
      this.calls.push(call);
      this.mostOpen = Math.max(this.mostOpen, ++this.open);
      try {
        return await this.reply(call);
      } finally {
        this.open--;
      }
    });
  }

  /** `127.0.0.1:port`. */
  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  /** The URL of a path. */
  url(path: string, scheme = "http"): string {
    return `${scheme}://${this.host}${path}`;
  }

  /** The `action` of each call so far. */
  get actions(): string[] {
    return this.calls.map(({ body }) => String(body.action));
  }

  /** The `http_hooks` block that sends every event here. */
  get block(): string {
    const actions = ["connect", "close", "publish", "unpublish", "play", "stop"];
    const lines = actions.map((name) => `on_${name} ${this.url(`/${name}`)};`);
    return `http_hooks { enabled on; ${lines.join(" ")} }`;
  }

  /** Waits until so many calls have come. */
  async received(count: number, limitMs = CALL_LIMIT_MS): Promise<void> {
    try {
      await until(`${count} calls of hooks`, limitMs, () => this.calls.length >= count);
    } catch (error) {
      throw new Error(`${error}: there were ${this.actions.join(" ") || "none"}`);
    }
  }

  /** Forgets what has come. */
  clear(): void {
    this.calls.length = 0;
  }

  /** Closes it, with whatever it has not answered. */
  async stop(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise((done) => timer = setTimeout(done, STOP_MS));
    await Promise.race([this.#server.shutdown(), late]);
    clearTimeout(timer);
  }
}

/** A port that accepts connections and says nothing. */
export function silentServer(): {
  readonly url: string;
  readonly accepted: () => number;
  stop(): void;
} {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const run = async () => {
    for await (const connection of listener) connections.push(connection);
  };
  void run().catch(() => {});
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/`,
    accepted: () => connections.length,
    stop: () => {
      listener.close();
      for (const connection of connections) connection.close();
    },
  };
}
