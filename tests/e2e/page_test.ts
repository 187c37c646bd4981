/**
 * The server's page in a real browser: what is live, its picture, its delay, its clients.
 * @module
 */
import assert from "node:assert/strict";
import { Browser } from "../tools/browser.ts";
import { media } from "../tools/media.ts";
import { sleep } from "../tools/process.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { freePort, type Server } from "../tools/server.ts";

/** ms that a kicked encoder may take to notice. */
const NOTICE_LIMIT_MS = 15_000;

/** ms of delay that the page may show over HTTP-FLV; in front of a screen it is a tenth. */
const MAX_DELAY_MS = 1_500;

/** A name that is HTML, has quotes of both kinds, and is not ASCII. */
const ODD_NAME = `<b>"it's"&amp;</b>ü直播`;

/** ms after which a page that went on asking would have done so. */
const LONGER_THAN_A_RETRY_MS = 3_500;

const VHOST = "min_latency on; http_remux { enabled on; } play { gop_cache off; }";

async function withBrowser(
  s: Scenario,
  address: string,
  test: (browser: Browser) => Promise<void>,
): Promise<void> {
  const browser = await Browser.open(s);
  await browser.open(address);
  await test(browser);
  await browser.close();
}

const pageOf = (server: Server) => `http://127.0.0.1:${server.apiPort}/`;

/** Text of an element, and the ms in one that shows a delay. */
const shown = (id: string) => `document.getElementById("${id}").textContent`;
const DELAY_MS = `(([, n, unit]) => unit === "s" ? n * 1000 : Number(n))(` +
  `/^([\\d.]+) (m?s)$/.exec(${shown("delay-value")}) ?? ["", NaN, "ms"])`;
const row = (list: string, text: string) =>
  `[...document.querySelectorAll("#${list} tr")]` +
  `.find((row) => row.textContent.includes(${JSON.stringify(text)}))`;

scenario("the page: push, press play, read the delay, disconnect", async (s) => {
  const server = await s.server({ vhost: VHOST });
  await withBrowser(s, pageOf(server), async (browser) => {
    // Nothing is live: it tells how to begin.
    await browser.until(`!document.getElementById("first").hidden`);
    const first: string = await browser.value(shown("first"));
    assert.ok(first.includes(`rtmp://127.0.0.1:${server.port}/live/livestream`));

    s.command("probe", "--publish", "--seconds", "60", server.url("live/stamped"));
    const publisher = s.publish(await media("h264-aac"), server.url(`live/${ODD_NAME}`), {
      loop: true,
    });

    // Both are listed, by their literal names.
    await browser.until(row("stream-rows", "live/stamped"));
    await browser.until(row("stream-rows", `live/${ODD_NAME}`));
    assert.equal(await browser.value(`document.querySelectorAll("#stream-rows b").length`), 0);
    await browser.until(`${row("stream-rows", ODD_NAME)}.textContent.includes("320×180")`);

    // Play: the picture moves, and the delay is the true one.
    await browser.click(
      `${row("stream-rows", "live/stamped")}?.querySelector("td:last-child button")`,
    );
    await browser.until(`document.getElementById("video").currentTime > 3`);
    const frames = "document.getElementById('video').getVideoPlaybackQuality().totalVideoFrames";
    await browser.until(`${frames} > 40`);
    await browser.until(`${shown("delay-label")} === "end-to-end delay"`);
    await browser.until(`${DELAY_MS} > 0 && ${DELAY_MS} < ${MAX_DELAY_MS}`);
    for (const figure of ["firstFrame", "buffer", "received"]) {
      await browser.until(
        `/^[\\d.]+ (m?s|kbit\\/s)$/.test(` +
          `document.querySelector("[data-figure=${figure}]").textContent)`,
      );
    }
    await browser.until(`document.querySelector("#chart-delay .screen-delay").getAttribute("d")`);
    await browser.until(row("client-rows", "HTTP-FLV"));

    // Copying works as on plain http, where the browser gives no clipboard.
    await browser.value(`Object.defineProperty(navigator, "clipboard", { value: undefined })`);
    await browser.value(
      `addEventListener("copy", (e) => globalThis.copied = e.clipboardData.getData("text/plain"))`,
    );
    await browser.click(`document.querySelector("#addresses button")`);
    await browser.until(`document.querySelector("#addresses button").textContent === "Copied"`);
    assert.equal(await browser.value("copied"), server.url("live"));

    // The other one has no stamps, and its publisher is disconnected by two clicks.
    await browser.click(`${row("stream-rows", ODD_NAME)}?.querySelector(".name button")`);
    await browser.until(`${shown("panel-name")} === ${JSON.stringify(`live/${ODD_NAME}`)}`);
    const kick = `${row("client-rows", "publisher")}?.querySelector("button")`;
    await browser.click(kick);
    assert.equal(publisher.exit, null, "one click only asks");
    await browser.click(kick);
    const status = await publisher.finish(NOTICE_LIMIT_MS);
    assert.ok(!status.success, "the publisher was disconnected");
    await browser.until(`${shown("panel-state")} === "no publisher"`);

    assert.deepEqual(browser.errors, []);
    const foreign = browser.requests.filter((url) => {
      return !url.startsWith(pageOf(server)) && !/^(data|blob):/.test(url);
    });
    assert.deepEqual(foreign, [], "nothing is asked of others");
  });
});

scenario("the page asks for the API's password, and plays again after a break", async (s) => {
  const port = freePort();
  const server = await s.server({
    text: `listen 127.0.0.1:PORT; max_connections 100; vhost __defaultVhost__ { ${VHOST} }
      http_api { enabled on; listen 127.0.0.1:${port};
        auth { enabled on; username admin; password secret; } }`,
  });
  const publish = async () =>
    s.publish(await media("h264-only"), server.url("live/livestream"), { loop: true });
  let publisher = await publish();
  await withBrowser(s, `http://127.0.0.1:${port}/#/live/livestream`, async (browser) => {
    await browser.until(`!document.getElementById("retry").hidden`);
    const asked = browser.requests.length;
    browser.credentials = { username: "admin", password: "secret" };
    await sleep(LONGER_THAN_A_RETRY_MS);
    assert.equal(browser.requests.length, asked, "who has closed the dialog is left alone");
    await browser.click(`document.getElementById("retry")`);
    await browser.until(`!document.getElementById("panel").hidden`);
    await browser.until(`!document.getElementById("overlay-play").hidden`);
    await browser.click(`document.getElementById("overlay-play")`);
    await browser.until(`document.getElementById("video").currentTime > 1`);
    await browser.until(`${shown("delay-label")} === "delay after the publisher"`);

    await publisher.kill();
    await browser.until(`${shown("panel-state")} === "no publisher"`);
    const before: number = await browser.value(`document.getElementById("video").currentTime`);
    publisher = await publish();
    await browser.until(`document.getElementById("overlay").hidden`);
    await browser.until(`document.getElementById("video").currentTime > ${before + 1}`);
  });
});

/** So many streams that the list has a search field and a second page. */
const MANY_STREAMS = 12;
/** Presses of Tab after which the whole page must have been walked through. */
const TABS_MAX = 150;
/** Roles of the accessibility tree that mean nothing to who cannot see, unless they have a name. */
const NAMED_ROLES = "button link textbox searchbox combobox checkbox radio slider image img Video"
  .split(" ");

/** What can be used on the page at present, and what has the focus. */
const CONTROLS = `[...document.querySelectorAll("button, input, select, a[href], summary")]` +
  `.filter((each) => !each.disabled && each.checkVisibility())`;
const FOCUSED = "document.activeElement";
const FOCUS_IS_SEEN = `(({ outlineStyle, outlineWidth }) => ${FOCUSED}.matches(":focus-visible") ` +
  `&& outlineStyle !== "none" && parseFloat(outlineWidth) >= 1)(getComputedStyle(${FOCUSED}))`;

async function press(browser: Browser, key: "Tab" | "Enter"): Promise<void> {
  const [code, text] = key === "Tab" ? [9, {}] : [13, { text: "\r" }];
  const event = { key, code: key, windowsVirtualKeyCode: code };
  await browser.send("Input.dispatchKeyEvent", { type: "keyDown", ...event, ...text });
  await browser.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
}

/** Presses Tab until `element` has the focus, which must be visible all the way. */
async function tabTo(browser: Browser, element: string): Promise<void> {
  for (let presses = 0; presses < TABS_MAX; presses++) {
    await press(browser, "Tab");
    if (await browser.value(`${FOCUSED} === ${element}`)) {
      assert.ok(await browser.value(FOCUS_IS_SEEN), `the focus on ${element} can be seen`);
      return;
    }
  }
  assert.fail(`${TABS_MAX} presses of Tab do not lead to ${element}`);
}

/** Walks with Tab: everything that a mouse can press is reached, with a focus that can be seen. */
async function assertKeyboardReachesAll(browser: Browser): Promise<void> {
  await browser.value(`void (globalThis.reached = new Set(), globalThis.dim = new Set())`);
  const left = `${CONTROLS}.filter((each) => !reached.has(each)).map((each) => each.outerHTML)`;
  for (let presses = 0; presses < TABS_MAX; presses++) {
    await press(browser, "Tab");
    const done: boolean = await browser.value(`(() => {
      reached.add(${FOCUSED});
      // The controls inside a video are the browser's, and so is their focus.
      const foreign = ${FOCUSED} === document.body || ${FOCUSED} instanceof HTMLVideoElement;
      if (!foreign && !${FOCUS_IS_SEEN}) dim.add(${FOCUSED}.outerHTML);
      return ${left}.length === 0;
    })()`);
    if (done) break;
  }
  assert.deepEqual(await browser.value(left), [], "reached by Tab");
  assert.deepEqual(await browser.value("[...dim]"), [], "the focus can be seen");
}

/** Everything that can be used or looked at has a name, and no two buttons have the same. */
async function assertNamed(browser: Browser, roles: readonly string[]): Promise<void> {
  const { nodes } = await browser.send("Accessibility.getFullAXTree");
  const seen = new Map<string, string[]>();
  for (const { ignored, role, name } of nodes) {
    if (ignored || !NAMED_ROLES.includes(role?.value)) continue;
    seen.set(role.value, [...seen.get(role.value) ?? [], (name?.value ?? "").trim()]);
  }
  for (const role of roles) assert.ok(seen.has(role), `there is a ${role}: ${[...seen.keys()]}`);
  for (const [role, names] of seen) {
    assert.ok(!names.includes(""), `a ${role} has no name; those there are: ${names}`);
  }
  const buttons = seen.get("button") ?? [];
  assert.deepEqual(buttons, [...new Set(buttons)], "buttons can be told apart by their names");
}

scenario("the page by keyboard: names, focus, play, the publisher's end", async (s) => {
  const server = await s.server({ vhost: VHOST });
  await withBrowser(s, pageOf(server), async (browser) => {
    await browser.until(`!document.getElementById("first").hidden`);
    assert.equal(await browser.value("document.documentElement.lang"), "en");
    await assertNamed(browser, ["button", "link"]);
    await assertKeyboardReachesAll(browser);

    // ffmpeg publishes many streams at once, the last of which is not among the first ten.
    const path = (n: number) => `live/stream-${String(n).padStart(2, "0")}`;
    const others = Array.from({ length: MANY_STREAMS - 1 }, (_, n) => server.url(path(n + 1)));
    const publisher = s.publish(await media("h264-aac"), server.url(path(0)), {
      loop: true,
      options: others.flatMap((url) => ["-f", "flv", url, "-c", "copy"]),
    });
    await browser.until(row("stream-rows", path(0)));
    await browser.until(`!document.getElementById("stream-pager").hidden`);

    const play = `${row("stream-rows", path(2))}?.querySelector("td:last-child button")`;
    // At once: what the stream consists of is perhaps not known yet.
    await tabTo(browser, play);
    await press(browser, "Enter");
    await browser.until(`${shown("panel-name")} === ${JSON.stringify(path(2))}`);
    const frames = "document.getElementById('video').getVideoPlaybackQuality().totalVideoFrames";
    await browser.until(`${frames} > 20`);
    const before: number = await browser.value(frames);
    await browser.until(`${frames} > ${before + 20}`);
    await browser.until(`${DELAY_MS} > 0 && ${DELAY_MS} < ${MAX_DELAY_MS}`);
    console.log(`delay shown: ${await browser.value(shown("delay-value"))}`);

    await browser.until(row("client-rows", "HTTP-FLV"));
    await assertNamed(browser, ["button", "link", "searchbox", "image", "Video"]);
    await assertKeyboardReachesAll(browser);

    // Stopped and played again from the picture, whose button leaves the focus on one that stays.
    await tabTo(browser, `document.getElementById("play")`);
    await press(browser, "Enter");
    await browser.until(`!document.getElementById("overlay-play").hidden`);
    await tabTo(browser, `document.getElementById("overlay-play")`);
    await press(browser, "Enter");
    await browser.until(`document.getElementById("overlay").hidden`);
    assert.equal(await browser.value(`${FOCUSED}.id`), "play");

    await publisher.stop("SIGINT");
    await browser.until(`${shown("panel-state")} === "no publisher"`);
    await browser.until(`!document.getElementById("overlay").hidden`);
    assert.match(await browser.value(shown("overlay-text")), /^Nobody publishes/);

    await tabTo(browser, `document.getElementById("language")`);
    await press(browser, "Enter");
    assert.equal(await browser.value("document.documentElement.lang"), "zh-CN");
    await assertNamed(browser, ["button", "link"]);
    assert.deepEqual(browser.errors, []);
  });
});

scenario(
  "F27: a stream of sound alone plays, is heard, and says that it has no pictures",
  async (s) => {
    const server = await s.server({ vhost: VHOST });
    const path = "live/radio";
    const video = `document.getElementById("video")`;
    const playsOn = async (browser: Browser) => {
      const before: number = await browser.value(`${video}.currentTime`);
      await browser.until(`${video}.currentTime > ${before + 1}`);
    };
    await withBrowser(s, `${pageOf(server)}#/${path}`, async (browser) => {
      let publisher = s.publish(await media("aac-only"), server.url(path), { loop: true });
      await browser.until(
        `${shown("overlay-text")}.startsWith("Press play to hear it: audio only")`,
      );
      await browser.click(`document.getElementById("overlay-play")`);
      await browser.until(
        `${shown("overlay-text")} === "Audio only: this stream has no pictures."`,
      );
      await playsOn(browser);
      assert.equal(await browser.value(`${video}.muted`), false);
      assert.equal(
        await browser.value(`document.getElementById("overlay").checkVisibility()`),
        true,
      );
      // The controls below the words can be used.
      assert.equal(await browser.value(`getComputedStyle(overlay).pointerEvents`), "none");
      await browser.until(`${DELAY_MS} > 0 && ${DELAY_MS} < ${MAX_DELAY_MS}`);
      await browser.until(
        `/^[\\d.]+ m?s$/.test(document.querySelector("[data-figure=buffer]").textContent)`,
      );

      // A publisher with pictures takes over where this one was, and goes again.
      await publisher.stop("SIGINT");
      publisher = s.publish(await media("h264-aac"), server.url(path), { loop: true });
      await browser.until(`${video}.getVideoPlaybackQuality().totalVideoFrames > 20`);
      await browser.until(`document.getElementById("overlay").hidden`);
      await publisher.stop("SIGINT");
      await browser.until(`${shown("panel-state")} === "no publisher"`);
      s.publish(await media("aac-only"), server.url(path), { loop: true });
      await browser.until(
        `${shown("overlay-text")} === "Audio only: this stream has no pictures."`,
      );
      await playsOn(browser);

      // Other streams begin without sound, as ever.
      await browser.click(`document.getElementById("play")`);
      s.publish(await media("h264-aac"), server.url("live/tv"), { loop: true });
      await browser.click(
        `${row("stream-rows", "live/tv")}?.querySelector("td:last-child button")`,
      );
      await browser.until(`document.getElementById("overlay").hidden`);
      assert.equal(await browser.value(`${video}.muted`), true);
      assert.deepEqual(browser.errors, []);
    });
  },
);
