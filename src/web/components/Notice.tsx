import { useAtomValue } from "@effect/atom-react"
import type { ReactNode } from "react"
import { liveAtom } from "../live/live.ts"

/** A box with a message, which screen readers announce; errors interrupt them. */
export const Notice = ({ children, kind }: {
  readonly kind: "error" | "warning" | "info" | "success"
  readonly children: ReactNode
}) => <div className={`notice ${kind}`} role={kind === "error" ? "alert" : "status"}>{children}</div>

/** A technical text that is shown on demand. */
export const Raw = ({ label = "Show the error", text }: { readonly text: string; readonly label?: string }) => (
  <details className="raw">
    <summary>{label}</summary>
    <pre tabIndex={0}>{text}</pre>
  </details>
)

/** Names the nsqds that have not replied yet, so that their part of the page is missing; nothing without any. */
export const NotYet = ({ nodes, what }: { readonly nodes: ReadonlyArray<string>; readonly what: string }) =>
  nodes.length === 0 ? null : (
    <Notice kind="info">
      {nodes.join(", ")} {nodes.length === 1 ? "has" : "have"} not replied yet: the {what} of the other nsqds are shown.
    </Notice>
  )

/** The warning of a response, unless the banner already names all daemons that failed. */
export const ResponseWarning = ({ message }: { readonly message: string }) => {
  const { daemons } = useAtomValue(liveAtom)
  const gone = daemons.filter(({ reachable }) => !reachable)
  const lines = message.split(/\n|; /).filter((line) => line !== "")
  const isKnown = lines.every((line) => gone.some(({ address }) => line.includes(address)))
  return isKnown ? null : (
    <Notice kind="warning">
      The figures are incomplete: not all daemons responded. <Raw text={message} />
    </Notice>
  )
}
