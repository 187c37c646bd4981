/**
 * What the HTTP side may ask of the life of the server.
 * @module
 */

/** How the last reload went, in SRS's terms. */
export interface ReloadReport {
  /** Seven characters, new for each; empty before the first. */
  readonly rid: string;
  /** 0 none yet, 10 reading, 20 checking, 30 applying, 90 done (SRS); where it failed it stays. */
  readonly state: number;
  /** SRS's error number; 0: none. */
  readonly err: number;
  readonly msg: string;
}

/** Begins what a signal would begin. */
export interface ServerControl {
  /** No new clients: the server ends when the last one has gone. */
  readonly draining: boolean;
  readonly reloadReport: ReloadReport;
  /** As SIGHUP. */
  reload(): void;
  /** As SIGQUIT. `tcUrl`: where clients that can be asked to are to go; null: to this address. */
  drain(tcUrl: string | null): void;
}
