import type { LiveNode } from "../../protocol/http/admin/AdminLive.ts"
import type { NodeDrain } from "../../protocol/http/NodeResponse.ts"
import { Actions } from "../components/Actions.tsx"
import { Figures } from "../components/Figures.tsx"
import { Notice } from "../components/Notice.tsx"
import { useDrain } from "../core/act.ts"
import * as Format from "../core/format.ts"
import * as NodeFigures from "../core/nodeFigures.ts"

/** How far a drain is. */
const Draining = ({ drain, now }: { readonly drain: NodeDrain; readonly now: number }) => (
  <Notice kind={drain.drained ? "success" : "warning"}>
    {drain.drained ? "Drained" : "Draining"} since {Format.beginning(drain.since * 1000, now)}:{" "}
    {NodeFigures.drainLeft(drain)}. {drain.drained
      ? "The node refuses publishes and can be stopped."
      : "The node refuses publishes, and its consumers continue."}
  </Notice>
)

/** The drain of an nsqd: how far it is, and the switch. */
export const DrainSwitch = ({ node: { depth, in_flight_count, node, status }, now }: {
  readonly node: LiveNode
  readonly now: number
}) => {
  const drain = useDrain()
  if (status === null) return null
  const current = status.drain
  return (
    <>
      {current !== null && <Draining drain={current} now={now} />}
      <Actions
        label={`Actions on node ${node}`}
        actions={[
          current === null
            ? {
              key: "drain",
              label: "Drain node",
              question: `Drain node ${node}?`,
              detail: (
                <>
                  <p>
                    The node will refuse publishes until the drain ends, and its consumers continue. Topics leave
                    nsqlookupd as they become empty.
                  </p>
                  <p>
                    {Format.quantity(depth, "message")} waiting and {Format.count(in_flight_count)}{" "}
                    in flight have to be consumed first.
                  </p>
                </>
              ),
              run: () => drain(node, true),
              done: `The drain of ${node} has begun.`
            }
            : {
              key: "drain",
              label: "End drain",
              question: `End the drain of node ${node}?`,
              detail: "The node will accept publishes again, and offer all of its topics.",
              run: () => drain(node, false),
              done: `The drain of ${node} has ended.`
            }
        ]}
      />
    </>
  )
}

/** What an nsqd has, its process and its machine. */
export const NodeProcess = ({ node, now }: { readonly node: LiveNode; readonly now: number }) => (
  <>
    <Figures
      label="Messages, process and machine"
      figures={[...NodeFigures.ofNode(node), ...(node.status === null ? [] : NodeFigures.ofStatus(node.status, now))]}
    />
    {node.status === null && (
      <p className="muted">Memory, event loop, disk, file descriptors and drain are not reported by NSQ's nsqd.</p>
    )}
  </>
)
