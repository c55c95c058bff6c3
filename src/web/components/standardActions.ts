import type { useActions } from "../core/act.ts"
import * as Format from "../core/format.ts"
import { settings } from "../core/settings.ts"
import type { Action } from "./Actions.tsx"

interface Subject {
  readonly depth: number
  /** Of a topic. */
  readonly channels?: ReadonlyArray<{ readonly depth: number }>
  readonly paused: boolean
  readonly nodes: ReadonlyArray<unknown> | null
}

/** What can be done to a topic or a channel; `refresh` shows what came of it, `leave` goes where one can be when it is gone. */
export const standardActions = (
  kind: "topic" | "channel",
  name: string,
  subject: Subject,
  { act, remove }: ReturnType<typeof useActions>,
  refresh: () => void,
  leave: () => void
): ReadonlyArray<Action> => {
  const { channels = [], depth, nodes, paused } = subject
  const isNowhere = nodes === null || nodes.length === 0
  const where = isNowhere
    ? `on ${Format.quantity(settings.nsqlookupd.length, "nsqlookupd")}`
    : `on ${Format.quantity(nodes.length, "node")}`
  const lost = isNowhere ? "No nsqd has it." : `${Format.quantity(depth, "waiting message")} will be lost.`
  const all = channels.reduce((sum, { depth }) => sum + depth, depth)
  const verb = paused ? "Unpause" : "Pause"
  return [
    {
      key: "empty",
      label: "Empty queue",
      question: `Empty ${kind} ${name} ${where}?`,
      detail: channels.length === 0 ? lost : `${lost} Those in its channels stay.`,
      danger: true,
      run: () => act("empty"),
      done: `The ${kind} has been emptied.`,
      after: refresh
    },
    {
      key: "delete",
      label: `Delete ${kind}`,
      question: `Delete ${kind} ${name} ${where}?`,
      detail: channels.length === 0
        ? lost
        : `Its ${Format.quantity(channels.length, "channel")} and ${
          Format.quantity(all, "waiting message")
        } in all of them will be lost.`,
      danger: true,
      run: remove,
      done: `The ${kind} has been deleted.`,
      after: leave
    },
    {
      key: "pause",
      label: `${verb} ${kind}`,
      question: `${verb} ${kind} ${name} ${where}?`,
      detail: paused ? "Messages will be delivered again." : "Messages will wait until it is unpaused.",
      run: () => act(paused ? "unpause" : "pause"),
      done: `The ${kind} has been ${paused ? "unpaused" : "paused"}.`,
      after: refresh
    }
  ]
}
