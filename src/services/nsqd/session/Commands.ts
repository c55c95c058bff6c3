/**
 * The commands of the client protocol by name: the states that permit each (docs/protocol/client.md#states), and
 * their execution. Each command has a file in `commands/`. `CommandDecoder` has decoded and checked parameters and
 * bodies.
 *
 * Hot path: one switch per command; see `Completion` for why execution is not always an Effect.
 */
import { Effect } from "effect"
import type { Decoded, Malformed } from "../../../protocol/client/Decoded.ts"
import { type ProtocolError, protocolError } from "../../../protocol/client/ProtocolError.ts"
import * as Completion from "../../core/Completion.ts"
import { Broker } from "../broker/Broker.ts"
import * as Auth from "./commands/Auth.ts"
import * as Cls from "./commands/Cls.ts"
import * as Dpub from "./commands/Dpub.ts"
import * as Fin from "./commands/Fin.ts"
import * as Hpub from "./commands/Hpub.ts"
import * as Identify from "./commands/Identify.ts"
import * as Mpub from "./commands/Mpub.ts"
import * as Nop from "./commands/Nop.ts"
import * as Pub from "./commands/Pub.ts"
import * as Rdy from "./commands/Rdy.ts"
import * as Req from "./commands/Req.ts"
import * as Sub from "./commands/Sub.ts"
import * as Touch from "./commands/Touch.ts"
import * as Access from "./connection/Access.ts"
import type { CommandHandler, Pending } from "./connection/CommandHandler.ts"
import type { StateName } from "./connection/ConnectionState.ts"
import type { Session } from "./connection/Session.ts"

/** Checks and executes commands. */
export interface Commands {
  /** The error if the connection's state does not permit a command; `undefined` if it does. */
  readonly refuse: (session: Session, name: string) => ProtocolError | undefined
  readonly execute: (session: Session, command: Decoded) => Pending
  /** The command in the debug log. */
  readonly describe: (command: Decoded) => string
}

/** The commands, for the broker of the environment. */
export const make = Effect.gen(function*() {
  const broker = yield* Broker
  const access = yield* Access.make
  const auth = Auth.make(access)
  const dpub = yield* Dpub.make(access)
  const hpub = yield* Hpub.make(access)
  const identify = yield* Identify.make(access)
  const mpub = yield* Mpub.make(access)
  const pub = yield* Pub.make(access)
  const req = yield* Req.make
  const sub = yield* Sub.make(access)
  const permissions: ReadonlyMap<string, Permission> = new Map<string, Permission>([
    ["AUTH", auth],
    ["CLS", Cls.handler],
    ["DPUB", dpub],
    ["FIN", Fin.handler],
    ["HPUB", hpub],
    ["IDENTIFY", identify],
    ["MPUB", mpub],
    ["NOP", Nop.handler],
    ["PUB", pub],
    ["RDY", Rdy.handler],
    ["REQ", req],
    ["SUB", sub],
    ["TOUCH", Touch.handler]
  ])

  /** As in NSQ, MPUB checks its permission and creates the topic before the body is read. */
  const malformed = (session: Session, { command, error, topic }: Malformed): Pending => {
    if (command === "RDY" && session.state._tag === "Closing") return undefined
    if (topic === undefined) return Effect.fail(error)
    return Completion.andThen(
      access.check(session, "MPUB", topic, ""),
      () => Effect.andThen(Effect.ignore(broker.topic(topic)), Effect.fail(error))
    )
  }

  const commands: Commands = {
    refuse: (session, name) => refuse(session, name, permissions.get(name)),
    execute: (session, command) => {
      switch (command._tag) {
        case "FIN":
          return Fin.handler.execute(session, command)
        case "PUB":
          return pub.execute(session, command)
        case "MPUB":
          return mpub.execute(session, command)
        case "DPUB":
          return dpub.execute(session, command)
        case "HPUB":
          return hpub.execute(session, command)
        case "REQ":
          return req.execute(session, command)
        case "TOUCH":
          return Touch.handler.execute(session, command)
        case "RDY":
          return Rdy.handler.execute(session, command)
        case "NOP":
          return Nop.handler.execute(session, command)
        case "SUB":
          return sub.execute(session, command)
        case "CLS":
          return Cls.handler.execute(session, command)
        case "IDENTIFY":
          return identify.execute(session, command)
        case "AUTH":
          return auth.execute(session, command)
        case "Malformed":
          return malformed(session, command)
        case "Overlong":
          return Effect.die("invariant: overlong lines end the connection before they are executed")
      }
    },
    describe: (command) => {
      switch (command._tag) {
        case "FIN":
          return Fin.handler.describe(command)
        case "PUB":
          return pub.describe(command)
        case "MPUB":
          return mpub.describe(command)
        case "DPUB":
          return dpub.describe(command)
        case "HPUB":
          return hpub.describe(command)
        case "REQ":
          return req.describe(command)
        case "TOUCH":
          return Touch.handler.describe(command)
        case "RDY":
          return Rdy.handler.describe(command)
        case "NOP":
          return Nop.handler.describe(command)
        case "SUB":
          return sub.describe(command)
        case "CLS":
          return Cls.handler.describe(command)
        case "IDENTIFY":
          return identify.describe(command)
        case "AUTH":
          return auth.describe(command)
        case "Malformed":
          return command.command
        case "Overlong":
          return command._tag
      }
    }
  }
  return commands
})

type Permission = Pick<CommandHandler<never>, "permittedIn" | "refusal">

const refuse = (session: Session, name: string, permission: Permission | undefined): ProtocolError | undefined => {
  if (session.isTlsMissing && name !== "IDENTIFY") {
    return protocolError("E_INVALID", `cannot ${name} in current state (TLS required)`)
  }
  // The decoder refuses unknown names.
  if (permission === undefined) return undefined
  const state: StateName = session.state._tag
  if (!permission.permittedIn.includes(state)) return protocolError("E_INVALID", `cannot ${name} in current state`)
  return permission.refusal?.(session)
}
