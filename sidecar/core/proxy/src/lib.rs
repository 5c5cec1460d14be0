//! The data path: listeners, protocol detection, pools, the stages of a request.
