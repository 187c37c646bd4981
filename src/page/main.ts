/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The page: asks the server once a second and shows what it says.
 * @module
 */

import { POLL_MS, RETRY_MS } from "./limits.ts";
import { addressesOf, type Target, vhostOf } from "./addresses.ts";
import {
  BASE,
  getClients,
  getStream,
  getStreams,
  getSummary,
  LockedError,
  type Stream,
} from "./api.ts";
import { Chart } from "./chart.ts";
import { ClientList } from "./client_list.ts";
import { copyBoxes } from "./copy_box.ts";
import { byId, setText } from "./dom.ts";
import { bitrate, delay } from "./format.ts";
import { History } from "./history.ts";
import { ServerBar } from "./server_bar.ts";
import { Stage } from "./stage.ts";
import { StreamList } from "./stream_list.ts";
import { recall, remember, switchLanguage, text, translate } from "./texts.ts";

/** Share of a new, not quicker answer in the difference of the clocks, which drifts. */
const CLOCK_DRIFT = 0.02;

/** The difference of the server's clock and ours, from the quickest answers. */
const clock = { offsetMs: 0, rttMs: Infinity };

const history = new History();
const serverBar = new ServerBar();
const stage = new Stage(() => clock.offsetMs);
const clients = new ClientList(pollSoon);
const list = new StreamList({
  select: (stream) => open(stream),
  play: (stream) => {
    open(stream);
    stage.play();
    byId("panel", HTMLElement).scrollIntoView({ behavior: "smooth", block: "nearest" });
  },
  changed: pollSoon,
});
const kbpsChart = new Chart({ kbps: "bitrate" }, bitrate);
const delayChart = new Chart(
  { "screen-delay": "chartDelay", "server-delay": "chartServer" },
  delay,
);

const showAddresses = copyBoxes(byId("addresses", HTMLElement), {
  server: "obsServer",
  key: "obsKey",
  rtmp: "rtmp",
  flv: "flv",
  push: "publishWithFfmpeg",
  play: "playWithFfplay",
});
const showFirst = {
  ffmpeg: copyBoxes(byId("first-ffmpeg", HTMLElement), { push: null }),
  obs: copyBoxes(byId("first-obs", HTMLElement), { server: "serverField", key: "keyField" }),
  test: copyBoxes(byId("first-test", HTMLElement), { test: null }),
  probe: copyBoxes(byId("first-probe", HTMLElement), { probe: null }),
};

/** URL of the stream that is open; the address bar has it too, so that it can be passed on. */
let selected: string | null = fromHash();
let openStream: Stream | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
let polling = false;
let again = false;

function fromHash(): string | null {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

function open(stream: Stream): void {
  if (selected !== stream.url) clients.reset();
  selected = stream.url;
  openStream = stream;
  stage.stream = stream;
  globalThis.history.replaceState(null, "", `#${encodeURI(stream.url)}`);
  pollSoon();
}

/** One round now, or right after the one that is going on. */
function pollSoon(): void {
  if (polling) {
    again = true;
    return;
  }
  clearTimeout(timer);
  void poll();
}

async function poll(): Promise<void> {
  polling = true;
  again = false;
  let next = POLL_MS;
  try {
    await round();
    notice(null);
  } catch (error) {
    next = RETRY_MS;
    notice(error instanceof LockedError ? "locked" : "unreachable");
    // The browser would ask for the password every time.
    if (error instanceof LockedError) next = Infinity;
    else if (!(error instanceof TypeError || error instanceof DOMException)) console.warn(error);
  }
  polling = false;
  if (again && next === POLL_MS) return void poll();
  // While nobody looks nothing is asked; see visibilitychange.
  if (next !== Infinity && !document.hidden) timer = setTimeout(() => void poll(), next);
}

async function round(): Promise<void> {
  // First and alone: this is where the browser asks for a password.
  const { summary, rttMs } = await getSummary();
  setClock(summary.now_ms, rttMs);
  serverBar.show(summary);

  const { find, start, count } = list.query;
  const page = await getStreams(find, start, count);
  const empty = page.total === 0 && find === "";
  if (selected === null && page.list[0]?.publish.active) {
    selected = page.list[0].url;
    clients.reset();
  }
  const url = selected;
  const stream = page.list.find((each) => each.url === url) ??
    (url === null || empty ? null : await getStream(url));
  const players = stream && await getClients(stream.id, clients.query.start, clients.query.count);
  // Another stream was opened meanwhile: its own round comes next.
  if (url !== selected) return;
  if (stream) openStream = stream;
  else if (openStream) openStream = { ...openStream, publish: { active: false } };
  list.show(page, selected);

  byId("first", HTMLElement).hidden = !empty;
  byId("streams", HTMLElement).hidden = empty;
  byId("panel", HTMLElement).hidden = openStream === null;
  showFirstStream(summary.edge.listen.rtmp);
  stage.stream = openStream;

  const second = Math.floor(performance.now() / 1000);
  for (const each of page.list) record(each, second);
  if (!openStream) return;
  if (stream) record(stream, second);
  drawCharts(openStream.url, second);
  const { server, key, rtmp, flv, push, play } = addressesOf(
    targetOf(openStream),
    BASE,
    summary.edge.listen.rtmp,
  );
  showAddresses({ server, key, rtmp, flv, push, play });
  clients.show(players ?? { list: [], total: 0 });
}

function targetOf({ app, url, edge: { flv } }: Stream): Target {
  return { vhost: vhostOf(url), app, name: url.slice(url.lastIndexOf("/") + 1), flv };
}

function record({ url, publish, edge }: Stream, second: number): void {
  history.add(url, {
    second,
    kbps: publish.active ? edge.recv_kbps : null,
    serverMs: edge.delay_p99_ms,
    delayMs: url === selected ? stage.delayMs : null,
  });
}

function drawCharts(url: string, second: number): void {
  const samples = history.of(url);
  kbpsChart.draw(second, [samples.map((each) => [each.second, each.kbps])]);
  delayChart.draw(second, [
    samples.map((each) => [each.second, each.delayMs]),
    samples.map((each) => [each.second, each.serverMs]),
  ]);
}

function showFirstStream(rtmpListen: readonly string[]): void {
  const target = { vhost: "", app: "live", name: "livestream", flv: null };
  const { server, key, rtmp, push } = addressesOf(target, BASE, rtmpListen);
  showFirst.ffmpeg({ push });
  showFirst.obs({ server, key });
  showFirst.test({
    test: "ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=25 -f lavfi -i sine=440 " +
      `-c:v libx264 -preset veryfast -tune zerolatency -g 25 -pix_fmt yuv420p -c:a aac -f flv ${rtmp}`,
  });
  showFirst.probe({ probe: `srs-edge probe --publish --seconds 3600 ${rtmp}` });
}

/** A quicker answer tells more of the difference of the clocks; others follow its drift. */
function setClock(serverMs: number, rttMs: number): void {
  const offset = serverMs + rttMs / 2 - Date.now();
  if (rttMs <= clock.rttMs) {
    clock.offsetMs = offset;
    clock.rttMs = rttMs;
  } else if (Math.abs(offset - clock.offsetMs) > rttMs) {
    // More than the answer's way can explain: one of the clocks was set.
    clock.offsetMs = offset;
    clock.rttMs = rttMs;
  } else {
    clock.rttMs += CLOCK_DRIFT;
  }
}

function notice(what: "locked" | "unreachable" | null): void {
  byId("notice", HTMLElement).hidden = what === null;
  byId("retry", HTMLElement).hidden = what !== "locked";
  if (what) setText(byId("notice-text", HTMLElement), text(what));
}

function setTheme(theme: string): void {
  document.documentElement.dataset.theme = theme;
}

const darkWanted = matchMedia("(prefers-color-scheme: dark)");
const preferredTheme = () => darkWanted.matches ? "dark" : "light";
setTheme(recall("srs-edge-theme") ?? preferredTheme());
darkWanted.addEventListener("change", () => setTheme(recall("srs-edge-theme") ?? preferredTheme()));
byId("theme", HTMLElement).addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  remember("srs-edge-theme", theme);
  setTheme(theme);
});
byId("language", HTMLElement).addEventListener("click", () => {
  switchLanguage();
  stage.show();
  pollSoon();
});
byId("retry", HTMLElement).addEventListener("click", pollSoon);
byId("licences", HTMLAnchorElement).href = new URL("console/licences.txt", BASE).href;
byId("chart-kbps", HTMLElement).append(kbpsChart.element);
byId("chart-delay", HTMLElement).append(delayChart.element);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) pollSoon();
});
globalThis.addEventListener("hashchange", () => {
  selected = fromHash();
  openStream = null;
  clients.reset();
  pollSoon();
});

translate(document);
pollSoon();
