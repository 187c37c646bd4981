/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The texts of the page, in English and Chinese.
 * @module
 */

const TEXTS = {
  language: ["中文", "English"],
  theme: ["Light or dark", "浅色或深色"],
  unreachable: ["No answer from the server; trying again …", "服务器无响应，正在重试……"],
  locked: ["The server asks for a name and password.", "服务器需要用户名和密码。"],
  retry: ["Try again", "重试"],

  streams: ["Streams", "流"],
  search: ["Find a stream", "查找流"],
  stream: ["Stream", "流"],
  video: ["Video", "视频"],
  tracks: ["tracks", "条轨"],
  audio: ["Audio", "音频"],
  bitrate: ["Bitrate", "码率"],
  players: ["Players", "播放数"],
  uptime: ["Uptime", "时长"],
  live: ["live", "直播中"],
  offline: ["no publisher", "无推流"],
  noneFound: ["No stream has this in its name.", "没有找到匹配的流。"],
  previous: ["Previous page", "上一页"],
  next: ["Next page", "下一页"],

  firstTitle: ["Nothing is live yet", "还没有直播流"],
  firstText: [
    "Push the first stream and it appears here by itself.",
    "推送第一路流，它会自动出现在这里。",
  ],
  withFfmpeg: ["With ffmpeg", "使用 ffmpeg"],
  withObs: ["With OBS", "使用 OBS"],
  obsHint: [
    "Settings → Stream → Service “Custom…”. For low delay: keyframe interval 1 s, tune “zerolatency”, no B-frames.",
    "设置 → 直播 → 服务“自定义…”。低延迟：关键帧间隔 1 秒，微调“zerolatency”，不用 B 帧。",
  ],
  withCamera: ["No file at hand? A test picture", "没有文件？用测试画面"],
  withProbe: [
    "A test stream that carries its clock, so that this page shows the true delay",
    "自带时钟的测试流，本页可显示真实延迟",
  ],
  serverField: ["Server", "服务器"],
  keyField: ["Stream key", "推流码"],
  copy: ["Copy", "复制"],
  copied: ["Copied", "已复制"],
  copyFailed: ["Press Ctrl+C", "请按 Ctrl+C"],

  play: ["Play", "播放"],
  stop: ["Stop", "停止"],
  nothingPlaysAudio: [
    "Press play to hear it: audio only, no pictures.",
    "点击播放收听：只有音频，没有画面。",
  ],
  nothingPlays: ["Press play to see the picture and its delay.", "点击播放，查看画面和延迟。"],
  connecting: ["Waiting for the first picture …", "等待首帧……"],
  connectingAudio: ["Waiting for the first sound …", "等待首个声音……"],
  audioOnly: ["Audio only: this stream has no pictures.", "只有音频：该流没有画面。"],
  waitsForPublisher: [
    "Nobody publishes; it goes on when the publisher is back.",
    "推流已断开，恢复后自动继续播放。",
  ],
  playFailed: ["This browser cannot play it: ", "浏览器无法播放："],
  noFlv: [
    "This server does not serve the stream over HTTP: switch on http_remux in its vhost.",
    "该流未开启 HTTP 播放：请在 vhost 中打开 http_remux。",
  ],
  endToEnd: ["end-to-end delay", "端到端延迟"],
  knownDelay: ["delay after the publisher", "推流端之后的延迟"],
  partServer: ["server", "服务器"],
  partNetwork: ["network, jitter", "网络与抖动"],
  partBuffer: ["player's buffer", "播放缓冲"],
  partRest: ["encoder, way to the server, decoder", "编码、上行与解码"],
  clocksDiffer: [
    "The publisher's clock differs from the server's.",
    "推流端与服务器的时钟不一致。",
  ],
  firstFrame: ["First frame", "首帧时间"],
  buffer: ["Buffer", "缓冲"],
  dropped: ["Dropped frames", "丢帧"],
  stalls: ["Stalls", "卡顿"],
  received: ["Received", "接收"],
  slowest: ["Slowest player", "最慢的播放"],

  howTitle: ["How is the delay measured?", "延迟是如何测量的？"],
  howStamped: [
    "If the publisher writes its clock into the pictures, this page reads it and compares it with the moment in which the picture is shown: the true delay from end to end. Read are the stamps of “srs-edge probe --publish”, of MISB ST 0604 (many hardware encoders), and of OBS with Enhanced Broadcasting. It is as right as the publisher's clock agrees with the server's.",
    "如果推流端把时钟写入画面，本页会读出它并与画面显示的时刻比较，得到真实的端到端延迟。支持“srs-edge probe --publish”、MISB ST 0604（许多硬件编码器）以及 OBS Enhanced Broadcasting 的时间戳。精度取决于推流端与服务器时钟的一致程度。",
  ],
  howPlain: [
    "Without stamps the page adds up what is known: the server's own delay, how much later media arrive than the quickest of the last minute, and what waits in the player's buffer. The encoder's delay and the way to the server are not in it. To see them, let ffmpeg draw a clock into the picture and compare it with this one:",
    "没有时间戳时，页面把已知部分相加：服务器自身的延迟、媒体比最近一分钟内最快到达者晚多少、播放器缓冲中的时长。不包括编码和上行的延迟。要看到它们，可让 ffmpeg 在画面上绘制时钟，并与此处的时钟比较：",
  ],

  addresses: ["Addresses", "地址"],
  obsServer: ["OBS: server", "OBS：服务器"],
  obsKey: ["OBS: stream key", "OBS：推流码"],
  rtmp: ["RTMP", "RTMP"],
  flv: ["HTTP-FLV", "HTTP-FLV"],
  publishWithFfmpeg: ["Publish with ffmpeg", "用 ffmpeg 推流"],
  playWithFfplay: ["Play with ffplay", "用 ffplay 播放"],

  lastMinutes: ["Last minutes", "最近几分钟"],
  chartDelay: ["delay on screen", "画面延迟"],
  chartServer: ["server p99", "服务器 p99"],

  clients: ["Clients", "客户端"],
  role: ["Role", "角色"],
  address: ["Address", "地址"],
  connected: ["Connected", "已连接"],
  lag: ["Lag", "落后"],
  traffic: ["Traffic", "流量"],
  publisher: ["publisher", "推流"],
  player: ["player", "播放"],
  kick: ["Disconnect", "断开"],
  kickSure: ["Really?", "确定？"],
  kickRefused: [
    "Disconnecting needs the page by IP address or localhost, or a password on the API.",
    "断开客户端需要用 IP 地址或 localhost 打开本页，或为 API 设置密码。",
  ],
  kickFailed: ["It is gone already.", "客户端已离开。"],

  server: ["Server", "服务器"],
  cpu: ["CPU", "CPU"],
  load: ["load", "负载"],
  memory: ["Memory", "内存"],
  connections: ["Connections", "连接"],
  inbound: ["In", "流入"],
  outbound: ["Out", "流出"],
  delayP50: ["Added delay", "附加延迟"],
  loopLag: ["Event loop lag", "事件循环延迟"],
  laggingPlayers: ["lagging", "落后"],
  licences: ["Licences", "许可"],
} as const satisfies Record<string, readonly [english: string, chinese: string]>;

/** Name of a text. */
export type TextKey = keyof typeof TEXTS;

const LANGUAGES = ["en", "zh-CN"] as const;
const STORED = "srs-edge-language";

let language = LANGUAGES.indexOf(stored() ?? preferred());

function preferred(): typeof LANGUAGES[number] {
  return navigator.language.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
}

function stored(): typeof LANGUAGES[number] | undefined {
  return LANGUAGES.find((each) => each === recall(STORED));
}

/** What was kept under a name; null also where the browser keeps nothing. */
export function recall(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Keeps something, where the browser lets us. */
export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // The choice holds until the page is closed.
  }
}

/** A text in the present language. */
export function text(key: TextKey): string {
  return TEXTS[key][language];
}

/** The other language, from now on. */
export function switchLanguage(): void {
  language = 1 - language;
  remember(STORED, LANGUAGES[language]);
  translate(document);
}

/** Fills in the texts of everything that has `data-text`, `data-title` or `data-placeholder`. */
export function translate(root: ParentNode): void {
  document.documentElement.lang = LANGUAGES[language];
  for (const element of root.querySelectorAll<HTMLElement>("[data-text]")) {
    element.textContent = known(element.dataset.text);
  }
  for (const element of root.querySelectorAll<HTMLElement>("[data-title]")) {
    element.title = known(element.dataset.title);
    element.setAttribute("aria-label", element.title);
  }
  for (const element of root.querySelectorAll<HTMLInputElement>("[data-placeholder]")) {
    element.placeholder = known(element.dataset.placeholder);
    element.setAttribute("aria-label", element.placeholder);
  }
}

function known(key: string | undefined): string {
  return key !== undefined && isKey(key) ? text(key) : "";
}

function isKey(key: string): key is TextKey {
  return Object.hasOwn(TEXTS, key);
}
