/**
 * Binds a server of `node:net`, or of a module built on it, to an address, and watches that it stays listening.
 */
import { Deferred, Effect } from "effect"
import type * as Net from "node:net"
import * as SystemText from "../core/SystemText.ts"
import { InheritedSockets, type ListenerName } from "./InheritedSockets.ts"
import { listenFailure, type NetError } from "./NetError.ts"
import { joinAddress, type Listener, splitAddress } from "./Transport.ts"

/** Errors of accept(2) that concern the listening socket itself; all others are temporary or concern one connection. */
const fatalCodes = new Set(["EBADF", "EINVAL", "ENOTSOCK", "EOPNOTSUPP"])

/**
 * Without a host Node listens on all addresses: of IPv6 and IPv4 if the machine has both, otherwise of IPv4.
 */
const optionsOf = (address: string): Net.ListenOptions => {
  const split = splitAddress(address)
  return split === undefined ? { path: address } : split.host === "" ? { port: split.port } : split
}

const maxPort = 65_535

/** What to do about an address that cannot be listened on, by Node's code of the error. */
const remedies: Readonly<Record<string, string>> = {
  EACCES: "; only root can listen on most ports below 1024: choose another port or directory",
  EADDRINUSE: "; end the process that listens there, or choose another address",
  EADDRNOTAVAIL: "; choose an address of this machine",
  ENOTFOUND: "; choose an address of this machine, or a name that has one"
}

/** Returns why an address cannot be listened on, in Go's form, and what to do. */
const reasonOf = (address: string, error: NodeJS.ErrnoException): Error => {
  const { code = "", syscall } = error
  const text = SystemText.textOf(error)
  const network = splitAddress(address) === undefined ? "unix" : "tcp"
  const failure = syscall === "getaddrinfo"
    ? `listen ${network}: ${SystemText.ofLookup(splitAddress(address)?.host ?? address, error)}`
    : syscall === "listen" || syscall === "bind"
    ? `listen ${network} ${address}: bind: ${text}`
    : error.message
  return new Error(`${failure}${remedies[code] ?? ""}`, { cause: error })
}

const listenerOf = (server: Net.Server, address: string, broken: Listener["broken"]): Listener => {
  const bound = server.address()
  return bound === null || typeof bound === "string"
    ? { address, port: -1, broken }
    : { address: joinAddress(bound.address, bound.port), port: bound.port, broken }
}

/** Starts to listen: on the inherited socket of that name if there is one, else at the address. The caller has to close the server. */
export const bind = Effect.fnUntraced(function*(server: Net.Server, address: string, name?: ListenerName) {
  const port = splitAddress(address)?.port ?? 0
  if (port > maxPort) {
    return yield* listenFailure(address, new Error(`listen tcp: address ${port}: invalid port`))
  }
  const inherited = name === undefined ? undefined : (yield* InheritedSockets).get(name)
  const log = Effect.runForkWith(yield* Effect.context<never>())
  const broken = Deferred.makeUnsafe<never, NetError>()
  const breakWith = (cause: Error): void => void Deferred.doneUnsafe(broken, Effect.fail(listenFailure(address, cause)))
  const watch = (): void => {
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (fatalCodes.has(error.code ?? "")) breakWith(error)
      else log(Effect.logWarning(`temporary Accept() failure - ${error.message}`))
    })
    server.once("close", () => breakWith(new Error("the listener was closed")))
  }
  return yield* Effect.callback<Listener, NetError>((resume) => {
    const fail = (error: Error): void => resume(Effect.fail(listenFailure(address, reasonOf(address, error))))
    server.once("error", fail)
    server.listen(inherited === undefined ? optionsOf(address) : { fd: inherited }, () => {
      server.off("error", fail)
      watch()
      resume(Effect.succeed(listenerOf(server, address, Deferred.await(broken))))
    })
  })
})
