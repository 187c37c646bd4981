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

/** ms of delay that a busy test machine may show; in front of a screen it is a tenth. */
const MAX_DELAY_MS = 5_000;

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
