/**
 * A test with processes: a server, publishers, players. Whatever the test does, they are gone after it;
 * when it fails their output is part of the message.
 * @module
 */
import assert from "node:assert/strict";
import { Child, run, sleep, until, within } from "./process.ts";
import { launch, type Server, type ServerOptions, startServer } from "./server.ts";
import type { Media } from "./media.ts";
import { assertContiguousRun, assertSameConfig, parseFrameHashes } from "./packets.ts";
import type { Kind, Recording, RunOptions } from "./packets.ts";
import { RawClient } from "./raw_client.ts";

/** ms that a test may take unless it says otherwise. */
const SCENARIO_LIMIT_MS = 60_000;

/** ms until a client must have connected, or the first packets have come. */
const START_LIMIT_MS = 15_000;

/** ms that the last packets may need from the publisher through the server into a player's file. */
const TAIL_LIMIT_MS = 8_000;

/** ms between the two interrupts that end an ffmpeg. */
const SECOND_INTERRUPT_MS = 200;

/** ffmpeg's flags in every call. */
const FFMPEG = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats"];

/** What a usual stream consists of. */
const BOTH: readonly Kind[] = ["video", "audio"];

/**
 * ffmpeg's flags that turn what it plays into a line with an MD5 per packet: all packets, with the
 * server's timestamps, each written at once.
 */
const TO_HASHES = "-c copy -copyinkf -copyts -flush_packets 1 -f framemd5".split(" ");

/** How a publisher sends its file. */
export interface PublishOptions {
  /** Start over at the end of the file, until stopped. */
  readonly loop?: boolean;
  /** Seconds added to every timestamp. */
  readonly offset?: number;
  /** ffmpeg options before the address. */
  readonly options?: readonly string[];
}

/** ffmpeg's bitstream filters for each kind of packet, by which containers are made comparable. */
export type Filters = Partial<Record<Kind, string>>;

function filterOf(kind: Kind, filters: Filters): string[] {
  const filter = filters[kind];
  return filter === undefined ? [] : [`-bsf:${kind[0]}`, filter];
}

/** The packets of a file behind such filters; keyframes are as they were. */
export async function filtered(media: Media, filters: Filters): Promise<Media> {
  const recording = { ...media.recording };
  for (const kind of kindsOf(recording)) {
    const { stdout } = await run(
      [...FFMPEG, "-v", "error", "-i", media.path, "-map", `0:${kind[0]}`]
        .concat(filterOf(kind, filters), "-c", "copy", "-copyts", "-f", "framemd5", "-"),
      START_LIMIT_MS,
    );
    const packets = parseFrameHashes(stdout)[kind];
    recording[kind] = packets.map((packet, i) => ({
      ...packet,
      key: media.recording[kind][i].key,
    }));
  }
  return { ...media, recording };
}

/** An ffmpeg that plays into lists of packet hashes. */
export class Player {
  /** `files` has the list of each kind. */
  constructor(readonly process: Child, readonly files: ReadonlyMap<Kind, string>) {}

  /** What it has received so far. */
  recording(): Recording {
    const lists = new Map<Kind, Recording>();
    for (const [kind, file] of this.files) lists.set(kind, parseFrameHashes(readIfThere(file)));
    const [video, audio] = [lists.get("video"), lists.get("audio")];
    return {
      video: video?.video ?? [],
      audio: audio?.audio ?? [],
      config: { ...video?.config, ...audio?.config },
    };
  }

  /** Waits until it has this many packets of a kind. */
  async received(kind: Kind, packets: number, limitMs = START_LIMIT_MS): Promise<void> {
    let seen = 0;
    try {
      await until("", limitMs, () => {
        seen = this.recording()[kind].length;
        return seen >= packets || this.process.exit !== null;
      });
    } catch {
      // The assertion below says it better.
    }
    assert.ok(
      seen >= packets,
      `${this.process.label}: ${seen} of ${packets} ${kind} packets came within ${limitMs} ms`,
    );
  }

  /** Ends it as a user does with Ctrl-C, and returns all that it received. */
  async stop(): Promise<Recording> {
    this.process.signal("SIGINT");
    // While nothing arrives ffmpeg sits in a read, which only a second Ctrl-C breaks.
    await Promise.race([this.process.ended, sleep(SECOND_INTERRUPT_MS)]);
    await this.process.stop("SIGINT");
    return this.recording();
  }
}

function readIfThere(file: string): string {
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** The processes of one test. */
export class Scenario {
  readonly #children: Child[] = [];
  readonly #clients: RawClient[] = [];
  #players = 0;
  #disposed = false;

  /** `folder` is the test's own and goes with it. */
  constructor(readonly folder: string) {}

  /** Starts a server and waits until it accepts. */
  server(options: ServerOptions = {}): Promise<Server> {
    return startServer(this.folder, options, (server) => this.add(server.process));
  }

  /** Runs the server's command with these arguments. */
  command(...args: string[]): Child {
    return this.add(launch(`server ${args.join(" ")}`, args));
  }

  /** Starts any program. */
  spawn(label: string, command: readonly string[]): Child {
    return this.add(new Child(label, command));
  }

  /** Publishes a file in real time. */
  publish(media: Media, url: string, options: PublishOptions = {}): Child {
    return this.spawn(
      `publisher of ${media.name}`,
      [...FFMPEG, "-loglevel", "warning", "-re"].concat(
        options.loop ? ["-stream_loop", "-1"] : [],
        ["-i", media.path, "-c", "copy"],
        options.offset === undefined ? [] : ["-output_ts_offset", String(options.offset)],
        options.options ?? [],
        ["-f", "flv", url],
      ),
    );
  }

  /** Starts a player of a stream that has these kinds of packet, and returns at once. */
  startPlayer(url: string, kinds = BOTH, filters: Filters = {}): Player {
    const number = ++this.#players;
    const files = new Map(
      kinds.map((kind) => [kind, `${this.folder}/player-${number}-${kind}.txt`]),
    );
    // One file per kind: ffmpeg holds a packet back until those of the other kinds have come as far.
    const outputs = [...files].flatMap((
      [kind, file],
    ) => ["-map", `0:${kind[0]}`, ...filterOf(kind, filters), ...TO_HASHES, file]);
    // At level debug ffmpeg says when it asks to play.
    const command = [...FFMPEG, "-loglevel", "debug", "-i", url, ...outputs];
    return new Player(this.spawn(`player ${number}`, command), files);
  }

  /** Starts a player and waits until it has asked the server to play. */
  async play(url: string, kinds = BOTH): Promise<Player> {
    const player = this.startPlayer(url, kinds);
    await until(`${player.process.label} asking to play`, START_LIMIT_MS, () => {
      if (player.process.exit !== null) throw new Error(`${player.process.label} ended`);
      return player.process.stderr.includes("Sending play command");
    });
    // The request is on its way; whoever connects from now on comes after it.
    await sleep(50);
    return player;
  }

  /** Opens a connection of our own RTMP client. */
  async raw(server: Server): Promise<RawClient> {
    const client = await RawClient.open(server.port);
    this.#clients.push(client);
    return client;
  }

  /** Takes a process that ends with the test. */
  add(child: Child): Child {
    this.#children.push(child);
    if (this.#disposed) {
      void child.kill();
      throw new Error(`${child.label} was started after the test's end`);
    }
    return child;
  }

  /** Ends every process and connection. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const client of this.#clients) client.destroy();
    await Promise.all(this.#children.map((child) => child.kill()));
  }

  /** The output of all processes. */
  report(): string {
    return this.#children.map((child) => child.report()).join("\n");
  }
}

/** Defines a test. `ignore`: the reason why it cannot run here, which its name then shows. */
export function scenario(
  name: string,
  test: (s: Scenario) => Promise<void>,
  options: { limitMs?: number; ignore?: string | null } = {},
): void {
  const reason = options.ignore ?? null;
  const title = reason === null ? name : `${name} (not possible here: ${reason})`;
  Deno.test({ name: title, ignore: reason !== null }, async () => {
    const folder = await Deno.makeTempDir({ prefix: "srs-edge-e2e-" });
    const s = new Scenario(folder);
    try {
      await within("the end of the test", options.limitMs ?? SCENARIO_LIMIT_MS, test(s));
    } catch (error) {
      console.error(`\n${s.report()}`);
      throw error;
    } finally {
      await s.dispose();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** The kinds of packet that a file has. */
export function kindsOf(recording: Recording): Kind[] {
  return (["video", "audio"] as const).filter((kind) => recording[kind].length > 0);
}

/**
 * A player waits, the file is published once, and everything of it must come out: every packet from
 * the first to the last, the timing, the decoder configuration.
 */
export async function playWhole(
  s: Scenario,
  server: Server,
  media: Media,
  options: PublishOptions & { path?: string } = {},
): Promise<Recording> {
  const url = server.url(options.path ?? "live/livestream");
  const kinds = kindsOf(media.recording);
  const player = await s.play(url, kinds);
  const publisher = s.publish(media, url, options);
  const status = await publisher.finish(START_LIMIT_MS);
  assert.ok(status.success, `${publisher.label} failed`);
  const source = media.recording;
  for (const kind of kinds) await player.received(kind, source[kind].length, TAIL_LIMIT_MS);
  const played = await player.stop();
  for (const kind of kinds) {
    assertContiguousRun(`${media.name}, ${kind}`, played[kind], source[kind], {
      minPackets: source[kind].length,
      whole: true,
    });
  }
  assertSameConfig(media.name, played, source);
  return played;
}

/** `assertContiguousRun` for each kind that the source has. */
export function assertPlayed(
  label: string,
  played: Recording,
  media: Media,
  options: { seconds: number; loop?: boolean; startsWithKeyframe?: boolean },
): void {
  const source = media.recording;
  for (const kind of kindsOf(source)) {
    const last = source[kind][source[kind].length - 1].dts;
    const perSecond = source[kind].length / (last / 1000);
    const run: RunOptions = {
      minPackets: Math.floor(perSecond * options.seconds),
      loop: options.loop ?? false,
      startsWithKeyframe: kind === "video" && (options.startsWithKeyframe ?? false),
    };
    assertContiguousRun(`${label}, ${kind}`, played[kind], source[kind], run);
  }
}
