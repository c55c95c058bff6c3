import type { ReactNode } from "react"

/** A short label with a color. */
export const Badge = ({ children, kind = "plain", title }: {
  readonly kind?: "plain" | "warning" | "error" | "good"
  readonly title?: string
  readonly children: ReactNode
}) => <span className={`badge ${kind}`} title={title}>{children}</span>

/** The badge of a paused topic or channel; nothing for others. */
export const Paused = ({ paused }: { readonly paused: boolean }) => paused ? <Badge kind="warning">paused</Badge> : null
