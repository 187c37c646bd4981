/**
 * Debian's nginx with its RTMP module, as another server beside ours: one process, in the foreground,
 * with nothing outside the test's folder.
 * @module
 */
import { type Child, until } from "./process.ts";
import type { Scenario } from "./scenario.ts";
import { accepts, freePort } from "./server.ts";

/** Where Debian puts the program, which is not on every user's PATH, and the module. */
export const NGINX = "/usr/sbin/nginx";
export const NGINX_RTMP = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/** ms until its port must accept. */
const READY_LIMIT_MS = 10_000;

/** A running nginx. */
export interface Nginx {
  /** The address that streams are under. */
  readonly url: string;
  readonly port: number;
  readonly process: Child;
}

/** Starts nginx with these `application` blocks and returns the address that streams are under. */
export async function startNginx(s: Scenario, applications: string): Promise<string> {
  return (await runNginx(s, applications)).url;
}

/** Starts nginx with these `application` blocks, on `port` or on a free one; `directives` for all. */
export async function runNginx(
  s: Scenario,
  applications: string,
  port = freePort(),
  directives = "",
): Promise<Nginx> {
  const prefix = await Deno.makeTempDir({ dir: s.folder, prefix: "nginx-" });
  await Deno.writeTextFile(
    `${prefix}/nginx.conf`,
    `load_module ${NGINX_RTMP};
daemon off;
master_process off;
pid nginx.pid;
error_log stderr info;
events { worker_connections 256; }
rtmp {
    access_log off;
    server {
        listen 127.0.0.1:${port};
        ${directives}
        ${applications}
    }
}
`,
  );
  const command = [NGINX, "-p", prefix, "-c", "nginx.conf", "-e", "stderr"];
  const process = s.spawn(`nginx ${port}`, command);
  await until("nginx's RTMP port", READY_LIMIT_MS, () => {
    if (process.exit !== null) throw new Error("nginx ended while it started");
    return accepts(port);
  });
  return { url: `rtmp://127.0.0.1:${port}`, port, process };
}
