/**
 * The directive table, part 4: features of SRS that this server does not have. Only their names matter:
 * they distinguish a directive of SRS from a typing error.
 * @module
 */
import {
  type Block,
  block,
  decimal,
  flag,
  integer,
  names,
  type Specs,
  text,
  texts,
} from "./spec.ts";

const notOffered = { status: "not offered" } as const;
const unchecked = { ...notOffered, unchecked: true } as const;
const relicUnchecked = { status: "relic", reload: "none", unchecked: true } as const;

/** `dash { }` */
export const DASH = block(
  names({
    enabled: "Make MPEG-DASH.",
    dash_fragment: "Length of a segment in s.",
    dash_update_period: "How often players fetch the manifest, in s.",
    dash_timeshift: "Depth of the time shift in s.",
    dash_path: "Directory of the files.",
    dash_mpd_file: "File name of the manifest.",
    dash_window_size: "Segments in the manifest.",
    dash_dispose: "Remove everything after so many s without a stream.",
    dash_cleanup: "Remove old segments.",
  }),
  "MPEG-DASH.",
  notOffered,
);

/** `hds { }` */
export const HDS = block(
  names({
    enabled: "Make HDS.",
    hds_fragment: "Length of a segment in s.",
    hds_window: "Length of the manifest in s.",
    hds_path: "Directory of the files.",
  }),
  "Adobe's HTTP dynamic streaming.",
  unchecked,
);

/** `dvr { }` */
export const DVR = block(
  names({
    enabled: "Record streams.",
    dvr_apply: "Streams that are recorded.",
    dvr_path: "File name of a recording.",
    dvr_plan: "When a file ends.",
    dvr_duration: "Length of a file in s.",
    dvr_wait_keyframe: "Cut at keyframes.",
    time_jitter: "How timestamps are corrected.",
  }),
  "Recording.",
  notOffered,
);

/** `exec { }` */
export const EXEC = block(
  {
    enabled: flag("off", "Run commands."),
    publish: texts("Command for each stream.", { repeats: true }),
  },
  "Commands that are run for a stream.",
  notOffered,
);

function engine(): Block {
  const children: Specs = {
    ...names({
      enabled: "Use this engine.",
      iformat: "Input format.",
      vfilter: "Video filter.",
      vcodec: "Video codec.",
      vbitrate: "Video bitrate in kbps.",
      vfps: "Frames per second.",
      vwidth: "Width.",
      vheight: "Height.",
      vthreads: "Encoder threads.",
      vprofile: "Encoder profile.",
      vpreset: "Encoder preset.",
      acodec: "Audio codec.",
      abitrate: "Audio bitrate in kbps.",
      asample_rate: "Audio sample rate in Hz.",
      achannels: "Audio channels.",
      oformat: "Output format.",
      output: "Output URL.",
    }),
    perfile: block({}, "Options before the input.", { unchecked: true }),
    vparams: block({}, "More video options.", { unchecked: true }),
    aparams: block({}, "More audio options.", { unchecked: true }),
  };
  return block(children, "One ffmpeg output.", { named: true, repeats: true });
}

/** `ingest ID { }` */
export const INGEST = block(
  {
    enabled: flag("off", "Pull from elsewhere."),
    input: block(names({ type: "file or stream.", url: "What to pull." }), "The source."),
    ffmpeg: text("", "Path of ffmpeg."),
    engine: engine(),
  },
  "Pulling streams with ffmpeg.",
  { ...notOffered, named: true, repeats: true },
);

/** `transcode ID { }` */
export const TRANSCODE = block(
  { enabled: flag("off", "Transcode."), ffmpeg: text("", "Path of ffmpeg."), engine: engine() },
  "Transcoding with ffmpeg.",
  { ...notOffered, named: true, repeats: true },
);

/** `rtc { }` of a vhost. */
export const RTC = block(
  names({
    enabled: "Serve WebRTC.",
    nack: "Ask for lost packets.",
    twcc: "Feedback for congestion control.",
    nack_no_copy: "Keep packets for it without a copy.",
    bframe: "Old form of keep_bframe.",
    aac: "Old form of rtmp_to_rtc.",
    stun_timeout: "Silence after which a session ends, in s.",
    stun_strict_check: "Check the peer's role strictly.",
    dtls_role: "active or passive.",
    dtls_version: "Version of DTLS.",
    drop_for_pt: "Payload type whose packets are dropped, for tests.",
    rtc_to_rtmp: "Make RTMP of WebRTC.",
    pli_for_rtmp: "Time between requests for keyframes in s.",
    rtmp_to_rtc: "Make WebRTC of RTMP.",
    keep_bframe: "Keep B-frames.",
    keep_avc_nalu_sei: "Keep SEI units.",
    opus_bitrate: "Bitrate of Opus in bit/s.",
    aac_bitrate: "Bitrate of AAC in bit/s.",
    init_rate_from_sdp: "Take the first bitrate from the SDP.",
  }),
  "WebRTC.",
  notOffered,
);

/** `srt { }` of a vhost. */
export const SRT = block(
  names({ enabled: "Serve SRT.", srt_to_rtmp: "Make RTMP of SRT." }),
  "SRT.",
  notOffered,
);

/** `rtsp { }` of a vhost. */
export const RTSP = block(
  names({ enabled: "Serve RTSP.", rtmp_to_rtsp: "Make RTSP of RTMP." }),
  "RTSP.",
  notOffered,
);

/** `bandcheck { }`: a feature that SRS removed. */
export const BANDCHECK = block({}, "A bandwidth test that SRS no longer has.", relicUnchecked);

/** `rtc_server { }` */
export const RTC_SERVER = block(
  {
    ...names({
      enabled: "Serve WebRTC.",
      listen: "Its UDP port.",
      dir: "Directory of its demo pages.",
      candidate: "Address that is told to browsers.",
      ecdsa: "Kind of certificate.",
      encrypt: "Encrypt media.",
      reuseport: "Threads that share the port.",
      merge_nalus: "Merge units of video.",
      protocol: "udp, tcp or all.",
      ip_family: "ipv4, ipv6 or all.",
      api_as_candidates: "Take the host of the API as address.",
      resolve_api_domain: "Look up that host.",
      keep_api_domain: "Tell that host as it is.",
      use_auto_detect_network_ip: "Find out the address.",
      perf_stat: "Nothing any more.",
      queue_length: "Nothing any more.",
    }),
    tcp: block(names({ enabled: "Media over TCP.", listen: "Its port." }), "Media over TCP.", {
      unchecked: true,
    }),
    black_hole: block(
      names({ enabled: "Copy packets.", addr: "Where to." }),
      "Copies for debugging.",
      {
        unchecked: true,
      },
    ),
  },
  "The WebRTC port.",
  notOffered,
);

/** `rtmps { }` */
export const RTMPS = block(
  names({
    enabled: "Serve RTMP over TLS.",
    listen: "Its port.",
    key: "Private key file, PEM.",
    cert: "Certificate file, PEM.",
  }),
  "RTMP over TLS.",
  notOffered,
);

/** `rtsp_server { }` */
export const RTSP_SERVER = block(
  names({ enabled: "Serve RTSP.", listen: "Its port." }),
  "The RTSP port.",
  notOffered,
);

/** `srt_server { }` */
export const SRT_SERVER = block(
  names({
    enabled: "Serve SRT.",
    listen: "Its UDP port.",
    maxbw: "Largest bandwidth in bytes/s.",
    mss: "Largest packet in bytes.",
    latency: "Latency in ms.",
    recvlatency: "Latency as receiver in ms.",
    peerlatency: "Latency as sender in ms.",
    connect_timeout: "How long connecting may take, in ms.",
    peer_idle_timeout: "Silence after which a peer is closed, in ms.",
    sendbuf: "Send buffer in bytes.",
    recvbuf: "Receive buffer in bytes.",
    payloadsize: "Bytes in a packet.",
    default_app: "App of streams that name none.",
    sei_filter: "Drop SEI units.",
    mix_correct: "Interleave by timestamp.",
    tlpktdrop: "Drop packets that come too late.",
    tlpkdrop: "Old form of tlpktdrop.",
    tsbpdmode: "Deliver packets by their time.",
    passphrase: "Password.",
    pbkeylen: "Length of the key in bytes.",
  }),
  "The SRT port.",
  notOffered,
);

/** `stream_caster { }` */
export const STREAM_CASTER = block(
  {
    ...names({
      enabled: "Take streams of another protocol.",
      caster: "Which protocol.",
      output: "RTMP URL that they become.",
      listen: "The port.",
      host: "Nothing any more.",
      rtp_port_min: "Nothing any more.",
      rtp_port_max: "Nothing any more.",
    }),
    sip: block(
      names({
        enabled: "Use SIP.",
        listen: "Its port.",
        timeout: "Silence after which a device is gone, in s.",
        reinvite: "Time between two invitations in s.",
        candidate: "Address that is told to devices.",
      }),
      "SIP for GB28181.",
      { unchecked: true },
    ),
  },
  "Streams that come in by MPEG-TS, FLV or GB28181.",
  { ...notOffered, repeats: true },
);

/** `tencentcloud_cls { }` */
export const TENCENT_CLS = block(
  names({
    enabled: "Send logs.",
    label: "Label of this server.",
    tag: "Tag of this server.",
    secret_id: "Account.",
    secret_key: "Its key.",
    endpoint: "Host of the service.",
    topic_id: "Topic.",
    debug_logging: "Log about it.",
    stat_heartbeat: "Send figures of the server.",
    heartbeat_ratio: "How often.",
    stat_streams: "Send figures of streams.",
    streams_ratio: "How often.",
  }),
  "Logs to Tencent Cloud.",
  unchecked,
);

/** `tencentcloud_apm { }` */
export const TENCENT_APM = block(
  names({
    enabled: "Send traces.",
    token: "Account.",
    endpoint: "Host of the service.",
    service_name: "Name of this server.",
    debug_logging: "Log about it.",
    team: "Name of the team.",
  }),
  "Traces to Tencent Cloud.",
  unchecked,
);

/** `threads { }` */
export const THREADS = block(
  { interval: decimal(5, "Pulse of SRS's threads.", { env: true, unit: "s" }) },
  "SRS's threads.",
  relicUnchecked,
);

/** `circuit_breaker { }` */
export const BREAKER = block(
  {
    enabled: flag("on", "Shed load.", { env: true }),
    high_threshold: integer(90, "CPU load that is high, in percent.", { env: true }),
    high_pulse: integer(2, "Seconds of it.", { env: true }),
    critical_threshold: integer(95, "CPU load that is critical, in percent.", { env: true }),
    critical_pulse: integer(1, "Seconds of it.", { env: true }),
    dying_threshold: integer(99, "CPU load that is deadly, in percent.", { env: true }),
    dying_pulse: integer(5, "Seconds of it.", { env: true }),
  },
  "Load shedding of SRS's WebRTC.",
  relicUnchecked,
);
