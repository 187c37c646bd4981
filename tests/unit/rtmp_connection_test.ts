/**
 * What the server's and the client's side of a connection share: who gets which message, acknowledgements,
 * answers to pings.
 * @module
 */
import assert from "node:assert/strict";
import { ChunkReader } from "../../src/rtmp/chunk_reader.ts";
import { MessageWriter } from "../../src/rtmp/chunk_writer.ts";
import { RtmpConnection } from "../../src/rtmp/connection.ts";
import {
  ChunkStream,
  MessageType,
  u32Body,
  UserControl,
  userControlBody,
} from "../../src/rtmp/message.ts";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";

const MAX_PENDING = 1000;

/** A connection with a peer that the test plays. */
class Scene {
  pendingBytes = 0;
  /** Commands and pings that are still looked at. */
  allowed = Infinity;
  readonly told: string[] = [];
  readonly connection: RtmpConnection;
  readonly #peer = new MessageWriter();

  constructor() {
    const pending = () => this.pendingBytes;
    this.connection = new RtmpConnection({
      get pendingBytes() {
        return pending();
      },
      media: ({ type, timestamp }) => void this.told.push(`media ${type} ${timestamp}`),
      command: ({ name }) => void this.told.push(`command ${name}`),
      userControl: ({ event, value }) => void this.told.push(`control ${event} ${value}`),
      countRequest: () => this.allowed-- > 0,
    }, MAX_PENDING);
  }

  /** The peer sends a message, which is dispatched. */
  gets(type: number, payload: Uint8Array, timestamp = 0): void {
    this.#peer.write(ChunkStream.CONTROL, type, timestamp, 0, payload);
    this.connection.reader.push(this.#peer.take());
    while (this.connection.reader.next()) this.connection.dispatch();
  }

  /** What has been written since: type and first 4 bytes, or event and value. */
  written(): string[] {
    const reader = new ChunkReader();
    reader.push(this.connection.writer.take());
    const found: string[] = [];
    while (reader.next()) {
      const { type, payload } = reader.message;
      found.push(`${type} ${Array.from(payload).join(" ")}`);
    }
    return found;
  }
}

const ping = (value: number) => userControlBody(UserControl.PING_REQUEST, value);

Deno.test("connection: media and commands go to the owner, an aggregate's parts one by one", () => {
  const scene = new Scene();
  scene.gets(MessageType.AUDIO, Uint8Array.of(0xaf, 1, 2), 5);
  scene.gets(MessageType.VIDEO, Uint8Array.of(0x17, 1, 2), 6);
  scene.gets(MessageType.DATA_AMF0, encodeAmf0("onTextData"), 7);
  scene.gets(MessageType.COMMAND_AMF0, encodeAmf0("releaseStream", 2, null, "s"));
  const part = [MessageType.AUDIO, 0, 0, 1, 0, 0, 9, 0, 0, 0, 0, 0xaf, 0, 0, 0, 12];
  scene.gets(MessageType.AGGREGATE, Uint8Array.of(...part, ...part), 9);
  assert.deepEqual(scene.told, [
    "media 8 5",
    "media 9 6",
    "media 18 7",
    "command releaseStream",
    "media 8 9",
    "media 8 9",
  ]);
  assert.deepEqual(scene.written(), []);
});

Deno.test("connection: pings are answered, other user control messages are the owner's", () => {
  const scene = new Scene();
  scene.gets(MessageType.USER_CONTROL, ping(0x01020304));
  scene.gets(MessageType.USER_CONTROL, userControlBody(UserControl.STREAM_EOF, 1));
  scene.gets(MessageType.USER_CONTROL, Uint8Array.of(0, 6));
  assert.deepEqual(scene.told, [`control ${UserControl.STREAM_EOF} 1`]);
  assert.deepEqual(scene.written(), [`4 0 ${UserControl.PING_RESPONSE} 1 2 3 4`]);
});

Deno.test("connection: requests beyond what the owner allows are not looked at", () => {
  const scene = new Scene();
  scene.allowed = 1;
  scene.gets(MessageType.COMMAND_AMF0, encodeAmf0("one", 1));
  scene.gets(MessageType.COMMAND_AMF0, encodeAmf0("two", 2));
  scene.gets(MessageType.USER_CONTROL, ping(1));
  assert.deepEqual(scene.told, ["command one"]);
  assert.deepEqual(scene.written(), []);
});

Deno.test("connection: what has come is acknowledged twice per window", () => {
  const scene = new Scene();
  scene.connection.acks.add(100);
  scene.connection.acknowledge();
  assert.deepEqual(scene.written(), []);
  scene.gets(MessageType.WINDOW_ACK_SIZE, u32Body(400));
  scene.connection.acknowledge();
  assert.deepEqual(scene.written(), []);
  scene.connection.acks.add(100);
  scene.connection.acknowledge();
  assert.deepEqual(scene.written(), ["3 0 0 0 200"]);
  scene.connection.acknowledge();
  assert.deepEqual(scene.written(), []);
});

Deno.test("H20 connection: a peer that does not read gets neither acknowledgements nor answers", () => {
  const scene = new Scene();
  scene.pendingBytes = MAX_PENDING + 1;
  scene.connection.acks.defaultWindow = 10;
  scene.connection.acks.add(10);
  scene.connection.acknowledge();
  scene.gets(MessageType.USER_CONTROL, ping(1));
  assert.deepEqual(scene.written(), []);
  scene.pendingBytes = MAX_PENDING;
  scene.connection.acknowledge();
  scene.gets(MessageType.USER_CONTROL, ping(1));
  assert.equal(scene.written().length, 2);
});
