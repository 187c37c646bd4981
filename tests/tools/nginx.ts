/**
 * Debian's nginx with its RTMP module, as another server beside ours: one process, in the foreground,
 * with nothing outside the test's folder.
 * @module
 */
import { until } from "./process.ts";
import type { Scenario } from "./scenario.ts";
import { accepts, freePort } from "./server.ts";

/** Where Debian puts the program, which is not on every user's PATH, and the module. */
export const NGINX = "/usr/sbin/nginx";
export const NGINX_RTMP = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/** ms until its port must accept. */
const READY_LIMIT_MS = 10_000;

/** Starts nginx with these `application` blocks and returns the address that streams are under. */
export async function startNginx(s: Scenario, applications: string): Promise<string> {
  const port = freePort();
  const prefix = `${s.folder}/nginx`;
  await Deno.mkdir(prefix);
  await Deno.writeTextFile(
    `${prefix}/nginx.conf`,
    `load_module ${NGINX_RTMP};
daemon off;
master_process off;
pid nginx.pid;
error_log stderr info;
events { worker_connections 64; }
rtmp {
    access_log off;
    server {
        listen 127.0.0.1:${port};
        ${applications}
    }
}
`,
  );
  const command = [NGINX, "-p", prefix, "-c", "nginx.conf", "-e", "stderr"];
  const process = s.spawn("nginx", command);
  await until("nginx's RTMP port", READY_LIMIT_MS, () => {
    if (process.exit !== null) throw new Error("nginx ended while it started");
    return accepts(port);
  });
  return `rtmp://127.0.0.1:${port}`;
}
