/**
 * The names that a `Host` header may have, against DNS rebinding: a web page whose own name suddenly resolves to this machine
 * sends that name, and the browser then lets the page read every response. Names that cannot be registered publicly are safe;
 * all others have to be allowed.
 */
import { readFileSync } from "node:fs"
import { isIP } from "node:net"
import { hostname } from "node:os"

/** Suffixes of names that cannot be registered in the public DNS. */
const privateSuffixes = [".local", ".internal", ".lan", ".home.arpa", ".test", ".localhost", ".svc", ".cluster.local"]

const hostsFile = "/etc/hosts"
const hostSyntax = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/

/** Returns the name of a `Host` header in lower case, without port, brackets and final dot; undefined if it is not valid. */
export const nameOf = (header: string): string | undefined =>
  hostSyntax.exec(header.trim())?.[1]?.replace(/^\[|\]$/g, "").replace(/\.$/, "").toLowerCase()

/** Whether the public DNS cannot contain this name: IP addresses, single labels, and names below a private suffix. */
export const isPrivate = (name: string): boolean =>
  isIP(name) !== 0 || !name.includes(".") || privateSuffixes.some((suffix) => name.endsWith(suffix))

const readHosts = (): string => {
  try {
    return readFileSync(hostsFile, "utf8")
  } catch {
    // Windows and minimal containers have no such file; the name of the system remains.
    return ""
  }
}

/** Returns the names of this machine: the name of the system, and the names on the same lines of the hosts file. */
export const ofMachine = (system = hostname(), hosts = readHosts()): ReadonlyArray<string> => {
  const lines = hosts.split("\n").map((line) => line.replace(/#.*/, "").trim().split(/\s+/).slice(1))
  return [system, ...lines.filter((names) => names.includes(system)).flat()]
}

/** Returns the check of names: private names and those of `allowed` pass, or all if `allowed` contains `*`. */
export const makeCheck = (allowed: ReadonlyArray<string>): (name: string) => boolean => {
  if (allowed.includes("*")) return () => true
  const names = new Set(allowed.map(nameOf))
  return (name) => isPrivate(name) || names.has(name)
}
