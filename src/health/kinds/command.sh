# COMMAND exits 0; 21 means not now.
check_command() {
  said=$(timeout "$(opt TIMEOUT)" sh -c "$(opt COMMAND)" < /dev/null 2>&1)
  rc=$?
  case $rc in
    0) verdict ok "$(first_line "$said")" ;;
    21) verdict retry "not now: $(first_line "$said")" ;;
    124 | 143) verdict failed "no answer within $(opt TIMEOUT) s" ;;
    *) verdict failed "exit $rc: $(first_line "$said")" ;;
  esac
}
