/**
 * Listening sockets that the parent process has opened, as systemd does for units of type socket: connections wait in them while the
 * daemon restarts. The environment describes them (`LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES`); they begin at descriptor 3.
 */
import { Context } from "effect"

/** The listener that takes a socket. */
export type ListenerName = "tcp" | "http" | "https"

/** The descriptors of inherited sockets. */
export type Descriptors = ReadonlyMap<ListenerName, number>

/** The descriptors of the sockets that listeners take in place of new ones. Default: none. */
export const InheritedSockets: Context.Reference<Descriptors> = Context.Reference("effect-nsq/net/InheritedSockets", {
  defaultValue: (): Descriptors => new Map()
})

const first = 3

const isOf = (listeners: ReadonlyArray<ListenerName>, name: string | undefined): name is ListenerName =>
  listeners.some((listener) => listener === name)

/**
 * Returns the sockets that the environment describes for this process. A socket whose name is one of `listeners` is that
 * listener's; the others belong to the remaining listeners, in their order. Further sockets are not used.
 */
export const fromEnvironment = (
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
  listeners: ReadonlyArray<ListenerName>
): Descriptors => {
  const found = new Map<ListenerName, number>()
  const count = Number(environment["LISTEN_FDS"] ?? 0)
  // Children of the process that the sockets are for inherit the environment.
  if (environment["LISTEN_PID"] !== String(pid) || !Number.isInteger(count)) return found
  const names = (environment["LISTEN_FDNAMES"] ?? "").split(":")
  const unnamed: Array<number> = []
  for (let i = 0; i < count; i++) {
    const name = names[i]
    if (isOf(listeners, name) && !found.has(name)) found.set(name, first + i)
    else unnamed.push(first + i)
  }
  for (const [i, name] of listeners.filter((listener) => !found.has(listener)).entries()) {
    const descriptor = unnamed[i]
    if (descriptor !== undefined) found.set(name, descriptor)
  }
  return found
}
