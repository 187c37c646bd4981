/**
 * The server as a service of systemd: ready, alive, stopping.
 * @module
 */
import { EXTENSION_MS } from "./limits.ts";
import { type Notify, openNotifySocket } from "../runtime/service_manager.ts";
import { serverLog } from "../log/log.ts";

/** Signs of life that are sent in the time after which systemd takes the server for dead. */
const SIGNS_PER_LIMIT = 3;

/** Environment variables by name. */
type Environment = Readonly<Record<string, string | undefined>>;

/** What systemd is told; without systemd, nothing. */
export class ServiceManager {
  readonly #notify: Notify;

  private constructor(notify: Notify) {
    this.#notify = notify;
  }

  /** Looks for systemd in the environment (NOTIFY_SOCKET). It must not keep the server from starting. */
  static async find({ NOTIFY_SOCKET }: Environment): Promise<ServiceManager> {
    if (!NOTIFY_SOCKET) return new ServiceManager(() => {});
    try {
      return new ServiceManager(await openNotifySocket(NOTIFY_SOCKET));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      serverLog.warn(`cannot tell systemd anything: ${reason}. Set Type=exec and no WatchdogSec`);
      return new ServiceManager(() => {});
    }
  }

  /** The ports are open. From now on signs of life come from the event loop, if asked for. */
  ready(environment: Environment): void {
    this.#notify("READY=1");
    const limitMs = watchdogMs(environment);
    if (limitMs > 0) setInterval(() => this.#notify("WATCHDOG=1"), limitMs / SIGNS_PER_LIMIT);
  }

  /**
   * The server drains. Not "stopping": systemd would begin to count `TimeoutStopSec` and kill the server
   * with its clients. If it counts already (SIGTERM with `force_grace_quit on`), it is asked for more.
   */
  draining(): void {
    this.#notify("STATUS=draining: no new clients");
    const extend = () => this.#notify(`EXTEND_TIMEOUT_USEC=${EXTENSION_MS * 1000}`);
    extend();
    setInterval(extend, EXTENSION_MS / SIGNS_PER_LIMIT);
  }

  /** The end has begun. */
  stopping(): void {
    this.#notify("STOPPING=1");
  }
}

/** ms without a sign of life after which systemd ends this process; 0 = it does not. */
export function watchdogMs({ WATCHDOG_USEC }: Environment): number {
  const ms = Number(WATCHDOG_USEC ?? 0) / 1000;
  return Number.isFinite(ms) && ms > 0 ? ms : 0;
}
