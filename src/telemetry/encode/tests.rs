//! What is sent, decoded with the generated messages of the `opentelemetry-proto` crate through the lab's collector.
