/**
 * Why the file system refused, in words.
 *
 * @module
 */

/** The codes of Node's file system errors that users cause. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is not a directory",
  ENOSPC: "no space left on the device",
  EDQUOT: "the quota is used up",
  EFBIG: "the file would be larger than is allowed",
  EROFS: "the file system is read-only",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many symbolic links",
};

/** The code of an error of Node: `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Why, in words; the error's own where there are none of ours. */
export function fileReason(error: unknown): string {
  return REASONS[errorCode(error) ?? ""] ?? (error instanceof Error ? error.message : String(error));
}
