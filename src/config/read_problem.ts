/**
 * Explains why a file cannot be read.
 * @module
 */

/**
 * The reason why a file cannot be read, with the cure if there is one. `cause` is the error of the
 * read.
 */
export function readProblem(cause: unknown): string {
  switch (systemCode(cause)) {
    case "EISDIR":
      return "it is a directory: name a file in it";
    case "EACCES":
    case "EPERM":
      return "this user may not read it: change its permissions, or start as another user";
    case "ENOTDIR":
      return "a part of its path is a file, not a directory";
    case "ELOOP":
      return "its symbolic links lead to each other";
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}

/** The system's code of an error, such as `ENOENT`. Empty when it has none. */
export function systemCode(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}
