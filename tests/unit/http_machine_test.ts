/**
 * The endpoints of the API about program, process and machine, and those for trying it out.
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { byId, NOW, server, stream } from "./support/server_view.ts";

Deno.test("the figures of process and machine have SRS's fields, all whole numbers", async () => {
  const { app } = server();
  const fields: Record<string, string> = {
    rusages: "ok sample_time ru_utime ru_stime ru_maxrss ru_ixrss ru_idrss ru_isrss ru_minflt " +
      "ru_majflt ru_nswap ru_inblock ru_oublock ru_msgsnd ru_msgrcv ru_nsignals ru_nvcsw ru_nivcsw",
    self_proc_stats: "ok sample_time percent pid comm state ppid pgrp session tty_nr tpgid flags " +
      "minflt cminflt majflt cmajflt utime stime cutime cstime priority nice num_threads " +
      "itrealvalue starttime vsize rss rsslim startcode endcode startstack kstkesp kstkeip signal " +
      "blocked sigignore sigcatch wchan nswap cnswap exit_signal processor rt_priority policy " +
      "delayacct_blkio_ticks guest_time cguest_time",
    system_proc_stats: "ok sample_time percent user nice sys idle iowait irq softirq steal guest",
    meminfos: "ok sample_time percent_ram percent_swap MemActive RealInUse NotInUse MemTotal " +
      "MemFree Buffers Cached SwapTotal SwapFree",
  };
  for (const [name, expected] of Object.entries(fields)) {
    const text = await (await app.request(`/api/v1/${name}`)).text();
    const { data } = JSON.parse(text);
    assert.deepEqual(Object.keys(data), expected.split(" "), name);
    assert.equal(data.ok, true);
    assert.equal(data.sample_time, NOW);
    for (const [field, value] of Object.entries(data)) {
      if (/^percent|^(ok|comm|state)$/.test(field)) continue;
      assert.ok(Number.isInteger(value), `${name}.${field}: ${value}`);
    }
    for (const percent of text.matchAll(/"percent\w*":([^,]+)/g)) {
      assert.match(percent[1], /^[01]\.\d\d$/, `${name}: a fraction`);
    }
  }
  const { data: self } = await (await app.request("/api/v1/self_proc_stats")).json();
  assert.equal(self.pid, process.pid);
  assert.match(self.comm, /^\(.+\)$/);
  assert.match(self.state, /^[A-Z]$/);
  assert.ok(self.rss > 1000);
  const { data: memory } = await (await app.request("/api/v1/meminfos")).json();
  assert.equal(memory.RealInUse + memory.NotInUse, memory.MemTotal);
  assert.ok(memory.MemTotal > 100_000);
});

Deno.test("authors, features, raw and the test endpoints", async () => {
  const { app } = server({}, { listen: "127.0.0.1:1985" });
  const get = async (path: string) => await (await app.request(`/api/v1/${path}`)).json();
  assert.equal((await get("authors")).data.license, "MIT");
  const { data } = await get("features");
  assert.deepEqual(
    Object.keys(data.features),
    ("ssl hls hds callback api httpd dvr transcode ingest stat caster complex_send tcp_nodelay " +
      "so_sendbuf mr").split(" "),
  );
  assert.deepEqual(await get("raw?rpc=raw"), {
    code: 0,
    http_api: {
      enabled: true,
      listen: "127.0.0.1:1985",
      crossdomain: true,
      raw_api: {
        enabled: false,
        allow_reload: false,
        allow_query: false,
        allow_update: false,
      },
    },
  });
  for (const rpc of ["reload", "reload-fetch", "update", ""]) {
    assert.deepEqual(await get(`raw?rpc=${rpc}`), { code: 1061 }, rpc);
  }
  assert.deepEqual(await get("tests/errors"), { code: 100 });
  const moved = await app.request("/api/v1/tests/redirects");
  assert.equal(moved.status, 301);
  assert.equal(moved.headers.get("Location"), "/api/v1/tests/errors");
});

Deno.test("H26 H30: a request is shown as it was understood: escaped, without secrets", async () => {
  const { app } = server();
  const response = await app.request("/api/v1/tests/requests?token=XQ&x=<script>", {
    method: "POST",
    headers: {
      "X-Y": '<script>alert("1")</script>',
      "Authorization": "Basic XQ",
      "Cookie": "XQ",
      "Referer": "http://u:XQ@h/?key=XQ",
    },
  });
  assert.equal(response.headers.get("Content-Type"), "application/json");
  const text = await response.text();
  assert.doesNotMatch(text, /<|XQ/);
  const { data } = JSON.parse(text);
  assert.equal(data.METHOD, "POST");
  assert.equal(data.path, "/api/v1/tests/requests");
  assert.equal(data.uri, "http://localhost/api/v1/tests/requests");
  assert.equal(data.headers["x-y"], '<script>alert("1")</script>');
});

Deno.test("names of peers: any text is one JSON string, and no tag", async () => {
  const name = '"\\\u0000\u001b</script>\u202eé😀';
  const { app } = server({ streams: byId({ ...stream, name }) });
  const text = await (await app.request("/api/v1/streams/")).text();
  // deno-lint-ignore no-control-regex -- that is what is looked for
  assert.doesNotMatch(text, /[<\x00-\x1f]/);
  assert.equal(JSON.parse(text).streams[0].name, name);
});
