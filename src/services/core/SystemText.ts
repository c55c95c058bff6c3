/**
 * The texts of the operating system's errors as Go has them, which NSQ's programs print and which operators look for. Node's own
 * messages have codes and repeat the address or the path.
 */
import { getSystemErrorMap, getSystemErrorMessage } from "node:util"

/** Texts that Node has in other words. */
const texts: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: "cannot assign requested address",
  EAI_AGAIN: "temporary failure in name resolution",
  EHOSTUNREACH: "no route to host",
  EISDIR: "is a directory",
  ENOTFOUND: "no such host"
}

/** Returns the text of an error, without an address or a path: `connection refused`. */
export const textOf = (error: NodeJS.ErrnoException): string =>
  texts[error.code ?? ""] ??
    (error.errno === undefined ? error.code ?? error.message : getSystemErrorMessage(error.errno))

/** Returns the text of an error of which only the code is known; `undefined` if it is not a code of the operating system. */
export const ofCode = (code: string): string | undefined =>
  texts[code] ?? Array.from(getSystemErrorMap().values()).find(([name]) => name === code)?.[1]

const isSystemError = (cause: unknown): cause is NodeJS.ErrnoException => cause instanceof Error && "errno" in cause

/** Returns the text of a name that has no address: `lookup nsqd.internal: no such host`. */
export const ofLookup = (host: string, cause: unknown): string =>
  isSystemError(cause) ? `lookup ${host}: ${textOf(cause)}` : String(cause)

/** Returns the text of a failed read of a file: `open /etc/nsqd.cfg: permission denied`. */
export const ofFile = (path: string, cause: unknown): string => {
  if (!isSystemError(cause)) return cause instanceof Error ? cause.message : String(cause)
  return `${cause.syscall ?? "open"} ${path}: ${textOf(cause)}`
}
