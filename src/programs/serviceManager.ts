/**
 * Tells systemd what a daemon does, for services of `Type=notify`. The messages are datagrams to a unix socket, which Node cannot
 * send; the program `systemd-notify` sends them. Without `NOTIFY_SOCKET` in the environment nothing is loaded or started.
 */
import { Effect, Option } from "effect"
import process from "node:process"

/** Longer than systemd needs on a busy machine; then the daemon goes on. */
const patience = "5 seconds"

/** Completes with the reason of a failure, if any. */
const notify = (variables: ReadonlyArray<string>): Effect.Effect<string | undefined> =>
  Effect.flatMap(Effect.promise(() => import("node:child_process")), ({ spawn }) =>
    Effect.callback((resume) => {
      const child = spawn("systemd-notify", variables, { stdio: "ignore" })
      child.once("error", ({ message }) => resume(Effect.succeed(message)))
      child.once(
        "exit",
        (code) => resume(Effect.succeed(code === 0 ? undefined : `systemd-notify exited with ${code}`))
      )
      return Effect.sync(() => void child.kill())
    }))

const send = (...variables: ReadonlyArray<string>): Effect.Effect<void> =>
  notify(variables).pipe(
    Effect.timeoutOption(patience),
    Effect.map(Option.getOrElse(() => "systemd-notify has not ended")),
    Effect.flatMap((reason) =>
      reason === undefined ? Effect.void : Effect.logWarning(`cannot notify systemd of ${variables[0]} - ${reason}`)
    )
  )

/** The messages of a daemon. They complete once systemd has them, or has not taken them; a failure is logged. */
export interface ServiceManager {
  /** The start, or a reload, is complete. */
  readonly ready: Effect.Effect<void>
  readonly reloading: Effect.Effect<void>
  readonly stopping: Effect.Effect<void>
}

const monotonicMicros = (): string => String(process.hrtime.bigint() / 1000n)

/** Returns the messages to the service manager of this process; they do nothing without one. */
export const make = (environment: Readonly<Record<string, string | undefined>>): ServiceManager =>
  (environment["NOTIFY_SOCKET"] ?? "") === ""
    ? { ready: Effect.void, reloading: Effect.void, stopping: Effect.void }
    : {
      ready: send("READY=1"),
      reloading: Effect.suspend(() => send("RELOADING=1", `MONOTONIC_USEC=${monotonicMicros()}`)),
      stopping: send("STOPPING=1")
    }
