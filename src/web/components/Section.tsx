import { type ReactNode, useState } from "react"

/** A collapsible section of a page. Its content is rendered only while it is open. */
export const Section = ({ children, isPlain = false, summary }: {
  readonly summary: ReactNode
  readonly children: ReactNode
  /** Omits the frame, for a section inside another frame. */
  readonly isPlain?: boolean
}) => {
  const [isOpen, setOpen] = useState(false)
  return (
    <details
      className={isPlain ? undefined : "section"}
      onToggle={({ currentTarget }) => setOpen(currentTarget.open)}
    >
      <summary>{summary}</summary>
      {isOpen && children}
    </details>
  )
}
