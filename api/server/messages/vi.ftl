# Every text that muong says in Vietnamese. The id is the stable code with "-" for "."; .title is the title of a
# problem document. Each text says what happened and what to do next. Keep en.ftl in step: a test compares them.

## Whole requests

request-malformed = Nội dung gửi lên không đúng định dạng JSON mà máy chủ chờ đợi. Hãy sửa chỗ được nêu trong “errors” rồi gửi lại.
    .title = Nội dung không đọc được
request-not_json = Từ dòng { $line }, cột { $column }, nội dung không còn là JSON hoặc bị kết thúc quá sớm. Hãy sửa chỗ đó rồi gửi lại.
request-not_ijson = Nội dung là JSON nhưng không phải chương trình nào cũng đọc giống nhau: một tên đứng hai lần trong cùng một đối tượng, hoặc có ký tự rỗng hay ký tự hỏng, số quá lớn hoặc lồng quá sâu. Hãy sửa rồi gửi lại.
request-not_object = Nội dung không phải là một đối tượng JSON trọn vẹn: bị trống, bị cắt ngang hoặc là thứ khác. Hãy gửi lại bản gửi dưới dạng một đối tượng.
request-member_missing = Thiếu phần “{ $member }”. Hãy bổ sung theo tài liệu ở /docs rồi gửi lại.
request-member_unknown = Ở đây máy chủ không biết phần “{ $member }”. Hãy bỏ đi hoặc sửa lại tên theo tài liệu ở /docs rồi gửi lại.
request-wrong_value = Giá trị ở chỗ này sai kiểu dữ liệu hoặc không thuộc các giá trị có thể dùng. Hãy đối chiếu với tài liệu ở /docs, sửa rồi gửi lại.
request-client_invalid = Tên ứng dụng dài hơn { $max } byte hoặc có ký tự rỗng. Hãy rút ngắn rồi gửi lại gói.
request-sent_at_implausible = Thời điểm gửi nằm ngoài các năm từ { $first } đến { $last }. Hãy chỉnh lại ngày giờ của máy rồi gửi lại gói.
request-too_large = Gói dữ liệu lớn hơn mức cho phép ({ $limit }). Hãy chia thành nhiều gói nhỏ hơn rồi gửi lại; chưa có gì được ghi nhận.
    .title = Gói dữ liệu quá lớn
request-inflated_too_large = Sau khi giải nén, gói dữ liệu lớn hơn mức cho phép ({ $limit }). Hãy chia thành nhiều gói nhỏ hơn rồi gửi lại; chưa có gì được ghi nhận.
    .title = Gói dữ liệu quá lớn sau khi giải nén
request-too_many_submissions = Gói có { $found } bản gửi, nhiều hơn mức cho phép là { $limit }. Hãy chia thành nhiều gói rồi gửi lại; chưa có gì được ghi nhận.
    .title = Quá nhiều bản gửi trong một gói
request-unsupported_media = Ở đây máy chủ chỉ nhận { $media }. Hãy gửi đúng kiểu đó, với tiêu đề “Content-Type: { $media }”.
    .title = Kiểu nội dung không được hỗ trợ
request-unsupported_encoding = Máy chủ chỉ nhận dữ liệu không nén, nén gzip hoặc nén zstd. Hãy nén lại bằng một trong hai cách đó, hoặc gửi không nén.
    .title = Cách nén không được hỗ trợ
request-truncated = Dữ liệu đến nơi bị thiếu hoặc hỏng, có thể do đường truyền. Hãy gửi lại nguyên gói; chưa có gì được ghi nhận và gửi lại không làm trùng dữ liệu.
    .title = Dữ liệu bị thiếu hoặc hỏng
request-timeout = Dữ liệu đến quá chậm nên máy chủ đã ngừng chờ. Hãy gửi lại khi sóng tốt hơn, hoặc chia thành gói nhỏ hơn.
    .title = Hết thời gian chờ dữ liệu
request-not_found = Không có địa chỉ này trên máy chủ. Hãy kiểm tra lại đường dẫn; danh sách đầy đủ ở /docs.
    .title = Không có địa chỉ này
request-method_not_allowed = Địa chỉ này không nhận phương thức vừa dùng; phương thức được phép: { $allowed }. Hãy gửi lại bằng một phương thức trong số đó.
    .title = Phương thức không được phép
request-query_invalid = Tham số trên đường dẫn thiếu, thừa hoặc sai kiểu. Hãy đối chiếu với tài liệu ở /docs rồi gửi lại.
    .title = Tham số không hợp lệ
request-parameter_invalid = Tham số “{ $parameter }” không đúng dạng; cần: { $expected }. Hãy sửa tham số này rồi gửi lại.
request-parameter_unknown = Địa chỉ này không có tham số “{ $parameter }”. Hãy bỏ tham số đó, hoặc đối chiếu tên với tài liệu ở /docs rồi gửi lại.
request-parameter_missing = Thiếu tham số “{ $parameter }”. Hãy thêm vào rồi gửi lại.
request-parameter_repeated = Tham số “{ $parameter }” có mặt nhiều lần. Hãy giữ lại một lần rồi gửi lại.
request-reason_invalid = Lý do trong tiêu đề “x-reason” trống, quá dài hoặc không đọc được. Hãy ghi lý do ngắn gọn bằng UTF-8, mã hóa phần trăm, rồi gửi lại.
    .title = Lý do không hợp lệ
request-path_invalid = Một phần của đường dẫn không đúng dạng, ví dụ mã định danh phải là UUID. Hãy sửa đường dẫn rồi gửi lại.
    .title = Đường dẫn không hợp lệ
request-throttled = Thiết bị này đang gửi nhiều hơn mức cho phép. Hãy chờ { $seconds } giây rồi gửi lại y như cũ; dữ liệu vẫn còn trên máy và không bị trùng.
    .title = Gửi quá nhiều
request-protocol_unsupported = Máy chủ không hiểu phiên bản giao thức { $found }; phiên bản được hỗ trợ: { $supported }. Hãy cập nhật ứng dụng rồi đồng bộ lại; dữ liệu chưa gửi vẫn còn trên máy.
    .title = Phiên bản giao thức không được hỗ trợ

## The server itself

server-busy = Máy chủ đang có quá nhiều việc nên chưa xử lý yêu cầu này. Hãy gửi lại sau ít giây; dữ liệu trên máy của bạn vẫn còn nguyên.
    .title = Máy chủ đang bận
server-internal = Máy chủ gặp lỗi ngoài dự kiến; lỗi đã được ghi lại. Hãy gửi lại sau ít phút. Nếu vẫn lỗi, hãy báo cho quản trị viên kèm mã yêu cầu trong câu trả lời này.
    .title = Lỗi máy chủ
server-unavailable = Máy chủ tạm thời chưa làm việc được, ví dụ đang mất kết nối với cơ sở dữ liệu. Hãy gửi lại sau ít phút; dữ liệu trên máy của bạn vẫn còn nguyên.
    .title = Máy chủ tạm thời không sẵn sàng
server-unaudited = Yêu cầu này phải được ghi vào nhật ký kiểm toán trước khi trả lời, mà hiện chưa ghi được. Chưa có dữ liệu nào được hiển thị. Hãy thử lại sau vài phút; nếu vẫn gặp lỗi, hãy báo cho quản trị viên mã yêu cầu của câu trả lời này.
    .title = Nhật ký kiểm toán không khả dụng
server-unledgered = Chưa thể xác nhận việc xóa dữ liệu cá nhân. Có thể lúc này chưa ghi được vào sổ xóa bên ngoài cơ sở dữ liệu (phải ghi trước khi trả lời), hoặc cơ sở dữ liệu vừa được thay bằng một bản sao không có lần xóa này. Hãy thử lại sau vài phút; nếu vẫn gặp lỗi, hãy báo cho quản trị viên mã yêu cầu của câu trả lời này.
    .title = Chưa xác nhận được việc xóa
server-shutting_down = Máy chủ đang dừng để bảo trì và không nhận thêm yêu cầu. Hãy gửi lại sau ít phút.
    .title = Máy chủ đang dừng

## Signing in

auth-required = Yêu cầu này cần đăng nhập. Hãy đăng nhập rồi gửi lại kèm mã truy cập.
    .title = Chưa đăng nhập
auth-invalid_token = Mã truy cập không hợp lệ hoặc không còn hiệu lực. Hãy dùng mã làm mới để lấy mã truy cập mới; nếu không được, hãy đăng nhập lại.
    .title = Mã truy cập không hợp lệ
auth-expired_token = Phiên truy cập đã hết hạn. Hãy dùng mã làm mới để lấy mã truy cập mới rồi gửi lại yêu cầu.
    .title = Phiên truy cập đã hết hạn
auth-bad_credentials = Tên đăng nhập hoặc mật khẩu không đúng. Hãy kiểm tra lại (chữ hoa, bộ gõ tiếng Việt); nếu quên mật khẩu, hãy nhờ quản trị viên đặt lại.
    .title = Đăng nhập không thành công
auth-refresh_reused = Mã làm mới này đã được dùng trước đó, có thể đã bị lộ, nên phiên đăng nhập đã bị đóng. Hãy đăng nhập lại; nếu không phải do bạn, hãy báo quản trị viên và đổi mật khẩu.
    .title = Phiên đăng nhập đã bị đóng
auth-refresh_invalid = Mã làm mới không hợp lệ hoặc đã hết hạn. Hãy đăng nhập lại; các báo cáo chưa gửi vẫn còn trên máy.
    .title = Mã làm mới không hợp lệ
auth-device_revoked = Thiết bị này đã bị thu hồi quyền sử dụng. Hãy liên hệ quản trị viên; các báo cáo chưa gửi vẫn còn trên máy.
    .title = Thiết bị đã bị thu hồi
auth-user_disabled = Tài khoản này đã bị khóa. Hãy liên hệ quản trị viên để được mở lại.
    .title = Tài khoản đã bị khóa
auth-password_too_short = Mật khẩu phải có ít nhất { $min } ký tự. Hãy chọn một câu dài, dễ nhớ với bạn và khó đoán với người khác.
    .title = Mật khẩu quá ngắn
auth-password_too_long = Mật khẩu dài hơn mức cho phép ({ $max } byte). Hãy chọn mật khẩu ngắn hơn.
    .title = Mật khẩu quá dài
auth-password_mistyped = Hai lần nhập mật khẩu không giống nhau. Hãy chạy lại lệnh và nhập lại.
    .title = Nhập mật khẩu không khớp
auth-session_ended = Phiên đăng nhập này đã kết thúc. Hãy đăng nhập lại; các báo cáo chưa gửi vẫn còn trên máy.
    .title = Phiên đăng nhập đã kết thúc
auth-throttled = Đã có quá nhiều lần thử đăng nhập. Hãy chờ { $seconds } giây rồi thử lại; trên thiết bị đã từng đăng nhập, hãy đăng nhập từ chính thiết bị đó.
    .title = Thử quá nhiều lần
auth-totp_required = Tài khoản này dùng xác thực hai bước. Hãy gửi lại kèm mã 6 số trong ứng dụng xác thực, hoặc một mã khôi phục.
    .title = Cần mã xác thực
auth-totp_invalid = Mã xác thực không đúng hoặc đã được dùng. Hãy chờ mã mới hiện ra, kiểm tra giờ trên điện thoại rồi thử lại, hoặc dùng một mã khôi phục; nếu mất cả hai, hãy nhờ quản trị viên.
    .title = Mã xác thực không đúng
auth-totp_enrolment_required = Vai trò của bạn bắt buộc dùng xác thực hai bước. Hãy đăng ký tại POST /v1/me/totp rồi xác nhận bằng mã; trước đó chưa làm được việc nào khác.
    .title = Phải đăng ký xác thực hai bước
auth-totp_enrolled = Tài khoản này đã có xác thực hai bước. Muốn đổi sang ứng dụng khác, hãy gỡ bỏ bằng một mã rồi đăng ký lại.
    .title = Đã có xác thực hai bước
auth-totp_not_begun = Tài khoản này chưa có xác thực hai bước để xác nhận hay gỡ bỏ. Hãy đăng ký trước tại POST /v1/me/totp.
    .title = Chưa đăng ký xác thực hai bước
auth-password_wrong = Mật khẩu hiện tại không đúng. Hãy kiểm tra lại (chữ hoa, bộ gõ tiếng Việt) rồi gửi lại; nếu quên, hãy nhờ quản trị viên đặt lại.
    .title = Mật khẩu hiện tại không đúng
auth-password_unchanged = Mật khẩu mới giống mật khẩu hiện tại. Hãy chọn một câu khác.
    .title = Mật khẩu chưa đổi
device-fork = Số thứ tự bản gửi này đã được dùng cho một bản gửi khác của cùng thiết bị; có thể dữ liệu ứng dụng đã được sao chép sang máy khác. Hãy đăng ký lại thiết bị, đánh số lại rồi gửi lại với mã bản gửi giữ nguyên.
    .title = Hai máy dùng chung một đăng ký thiết bị
device-unknown = Máy chủ không biết thiết bị này hoặc thiết bị không thuộc phiên đăng nhập của bạn. Hãy đăng nhập lại trên thiết bị đang dùng rồi gửi lại.
    .title = Thiết bị chưa đăng ký
device-not_registered = Mã thiết bị này chưa được đăng ký cho tài khoản của bạn. Hãy đăng nhập lại mà không kèm mã thiết bị; máy chủ sẽ đăng ký thiết bị mới.
    .title = Thiết bị chưa đăng ký cho tài khoản này
device-name_invalid = Tên thiết bị để trống, dài quá { $max } ký tự hoặc có ký tự lạ. Hãy đặt một tên ngắn trên một dòng rồi gửi lại.
    .title = Tên thiết bị không hợp lệ

## What one may do

access-forbidden = Vai trò của bạn không cho phép thực hiện việc này ở đây. Nếu cần, hãy đề nghị cấp trên thực hiện hoặc đề nghị quản trị viên giao quyền.
    .title = Không có quyền thực hiện
access-not_found = Không tìm thấy mục này trong phạm vi bạn phụ trách. Hãy kiểm tra lại mã, hoặc hỏi cấp trên nếu cho rằng bạn phải thấy mục này.
    .title = Không tìm thấy
access-reason_required = Việc này liên quan đến dữ liệu cá nhân nên phải nêu lý do, và lý do được ghi lại. Hãy gửi lại kèm lý do trong tiêu đề “x-reason”, viết bằng UTF-8 mã hóa phần trăm.
    .title = Cần nêu lý do
access-allowed = Bạn được làm việc này ở đơn vị đó, theo quyền được nêu. Không cần làm gì thêm.
access-outside = Không có đơn vị này trong phạm vi bạn phụ trách vào thời điểm đó. Hãy kiểm tra lại mã đơn vị; nếu cần làm việc ở đó, hãy đề nghị quản trị viên giao một trong các vai trò được nêu.
scope-outside = Đơn vị này không thuộc phạm vi bạn phụ trách. Báo cáo được giữ nguyên để chờ cấp trên xem; hãy kiểm tra lại đơn vị, hoặc đề nghị cấp trên giao quyền.
    .title = Ngoài phạm vi phụ trách
scope-unknown_unit = Máy chủ không biết đơn vị này. Hãy đồng bộ danh sách đơn vị rồi chọn lại đơn vị; báo cáo được giữ nguyên.
unit-dissolved_before = Đơn vị này đã giải thể ngày { $dissolved_on }, còn nội dung báo cáo là của ngày { $on }. Hãy sửa ngày, hoặc báo cáo cho đơn vị kế thừa.
    .title = Không có đơn vị này
scope-no_grant = Hiện bạn chưa được giao quyền ở đơn vị nào. Báo cáo được giữ nguyên; hãy đề nghị quản trị viên giao quyền.
    .title = Chưa được giao quyền

## A submission as such

submission-id_reused = Mã bản gửi này đã được dùng cho một nội dung khác. Bản gửi được giữ lại để xem xét; hãy tạo bản gửi mới với mã mới.
submission-malformed = Chỗ này của bản gửi không đúng dạng; cần { $expected }. Bản gửi được giữ nguyên; hãy cập nhật ứng dụng rồi tạo bản gửi thay thế.
submission-member_missing = Bản gửi thiếu phần bắt buộc “{ $member }”. Bản gửi được giữ nguyên; hãy cập nhật ứng dụng rồi tạo bản gửi thay thế có đủ phần này.
submission-member_unknown = Bản gửi có phần lạ “{ $member }” mà máy chủ không biết. Bản gửi được giữ nguyên; hãy cập nhật ứng dụng rồi tạo bản gửi thay thế không có phần này.
submission-not_ijson = Bản gửi có chỗ không phải JSON hợp lệ: ký tự hỏng, tên mục bị lặp hoặc số quá lớn. Bản gửi được giữ nguyên; hãy cập nhật ứng dụng rồi tạo bản gửi thay thế.
submission-too_large = Bản gửi lớn hơn mức cho phép ({ $limit }). Hãy rút ngắn nội dung hoặc tách thành nhiều báo cáo rồi gửi bản thay thế.
submission-too_deep = Bản gửi lồng nhau quá nhiều lớp. Hãy cập nhật ứng dụng rồi tạo bản gửi thay thế.
submission-nul_character = Bản gửi có ký tự rỗng (U+0000) không lưu được. Hãy xóa ký tự đó, thường do dán từ nơi khác, rồi gửi bản thay thế.
submission-author_mismatch = Bản gửi này do một tài khoản khác lập. Hãy để chính người lập đăng nhập và gửi, hoặc lập báo cáo mới bằng tài khoản của bạn.
submission-form_unknown = Không có biểu mẫu “{ $form }”. Hãy đồng bộ danh sách biểu mẫu rồi lập lại báo cáo.
submission-form_version_unknown = Biểu mẫu “{ $form }” không có phiên bản { $version }. Hãy đồng bộ danh sách biểu mẫu rồi gửi bản thay thế.
submission-form_not_in_force = Phiên bản { $version } của biểu mẫu “{ $form }” không có hiệu lực vào ngày { $on }. Hãy dùng phiên bản có hiệu lực vào ngày đó rồi gửi bản thay thế.
submission-unknown_record = Không có bản ghi này ở đơn vị đã nêu. Hãy đồng bộ rồi chọn lại bản ghi, hoặc tạo mới nếu chưa có.
submission-unknown_predecessor = Bản gửi trước mà bản này dựa vào chưa đến. Hãy đợi điện thoại đó gửi lên rồi cho nhận bản này, hoặc loại bỏ và nêu lý do.
submission-depends_on_quarantined = Bản gửi này dựa trên một bản gửi đang chờ xem xét nên cũng được giữ lại cùng bản đó. Hãy sửa bản trước và gửi bản thay thế, hoặc chờ cấp trên quyết định.
submission-more_findings = Còn { $count } điểm khác chưa liệt kê. Hãy sửa các điểm đã nêu rồi gửi bản thay thế để xem các điểm còn lại.
submission-too_many_replaces = Một báo cáo thay thế nhiều nhất { $limit } báo cáo khác. Hãy chia thành nhiều bản thay thế.
submission-record_taken = Mã bản ghi này đã dùng cho một bản ghi loại khác của đơn vị. Hãy tạo bản ghi với mã mới và gửi bản thay thế.
submission-after_itself = Báo cáo này ghi là dựa trên chính nó. Hãy cập nhật ứng dụng rồi gửi bản thay thế.
submission-not_processed = Máy chủ gặp lỗi của chính nó khi xử lý bản gửi này. Bản gửi được giữ nguyên vẹn, người duyệt có thể cho qua sau khi lỗi được khắc phục; không cần gửi lại.

## What a form asks for

form-unknown = Máy chủ không có biểu mẫu này. Hãy chọn một biểu mẫu trong danh sách ở /v1/forms.
form-unknown_field = Biểu mẫu không có mục “{ $field }”. Hãy đồng bộ biểu mẫu, bỏ mục đó rồi gửi bản thay thế.
form-required = Mục “{ $field }” bắt buộc phải có. Hãy điền rồi gửi lại.
form-type = Giá trị của mục “{ $field }” không đúng kiểu; cần { $expected }. Hãy sửa lại rồi gửi bản thay thế.
form-range = Giá trị của mục “{ $field }” nằm ngoài khoảng cho phép (nhỏ nhất: { $min }, lớn nhất: { $max }). Hãy kiểm tra lại số liệu rồi gửi bản thay thế.
form-not_in_list = Giá trị “{ $code }” không có trong danh sách của mục “{ $field }”. Hãy chọn một giá trị trong danh sách.
form-code_not_in_force = Ở mục “{ $field }”, giá trị “{ $code }” không có hiệu lực vào ngày của báo cáo. Hãy chọn giá trị có hiệu lực vào ngày đó.
form-group_incomplete = Các mục trong nhóm này phải gửi cùng nhau; còn thiếu: { $missing }. Hãy gửi đủ cả nhóm.
form-derived_sent_differs = Mục “{ $field }” do máy chủ tính và kết quả là { $expected }, khác giá trị đã gửi. Hãy kiểm tra các số liệu dùng để tính rồi gửi lại.
form-length = Nội dung mục “{ $field }” có { $found } ký tự; cho phép từ { $min } đến { $max }. Hãy sửa độ dài rồi gửi lại.
form-pattern = Nội dung mục “{ $field }” không đúng mẫu quy định. Hãy xem hướng dẫn của mục rồi ghi lại.
form-unit_kind = Biểu mẫu này không dùng cho { $unit_kind }. Hãy chọn đúng đơn vị hoặc đúng biểu mẫu rồi gửi bản thay thế.
form-reference_kind = Đơn vị đã chọn ở mục “{ $field }” không thuộc loại mà mục này cần. Hãy chọn lại, ví dụ thôn, bản cho nơi cư trú, chi bộ cho nơi giúp đỡ, rồi gửi bản thay thế.
form-reference_unknown = Không có đơn vị nào mang mã đã chọn ở mục “{ $field }”. Hãy đồng bộ danh sách đơn vị, chọn lại và gửi bản thay thế.
form-too_many_items = Danh sách này có nhiều dòng hơn mức cho phép là { $max }. Hãy gộp hoặc bớt dòng rồi gửi lại.
form-too_many_items_ever = Danh sách này đã từng có hơn { $max } dòng, kể cả các dòng đã xóa. Hãy sửa các dòng đang có thay vì xóa và thêm dòng mới.
form-empty = Bản sửa không nêu thay đổi nào. Hãy ghi giá trị mới của mục cần sửa rồi gửi lại.
form-delete_carries_values = Bản xóa không được kèm giá trị. Hãy gửi bản xóa riêng, và gửi các sửa đổi (nếu có) bằng một bản sửa.
form-unknown_list = Biểu mẫu không có danh sách “{ $list }”. Hãy đồng bộ biểu mẫu, bỏ danh sách đó rồi gửi bản thay thế.
form-item_key = Khóa của dòng này không đúng dạng mà danh sách quy định. Hãy cập nhật ứng dụng rồi gửi bản thay thế.
form-unsaid_item = Dòng này không có nội dung nào. Hãy điền nội dung hoặc bỏ dòng rồi gửi lại.
form-rule_unevaluable = Chưa kiểm tra được quy tắc “{ $rule }” với các giá trị đã gửi, thường vì có số quá lớn hoặc thiếu mục liên quan. Hãy kiểm tra lại các mục đó rồi gửi bản thay thế.
text-control_character = Nội dung có ký tự điều khiển không hiển thị được ({ $code_point }). Hãy xóa và gõ lại chỗ đó, thường là chỗ dán từ nơi khác.
form-definition_invalid = Định nghĩa biểu mẫu có lỗi tại { $place }: { $reason }. Hãy sửa rồi công bố lại; phiên bản đang dùng không thay đổi.
    .title = Định nghĩa biểu mẫu có lỗi

## Merging

merge-conflict = Người khác đã sửa cùng mục này khi bạn chưa thấy. Cả hai giá trị đều được giữ; cấp trên sẽ xem và quyết định. Bạn có thể đồng bộ để xem giá trị kia.
merge-key_taken = Đã có một bản ghi khác cùng khóa ở đơn vị này: cùng một cuộc họp, hoặc cùng một bước của cùng một người trong cùng một ngày. Cả hai được giữ để cấp trên quyết định; hãy kiểm tra lại các mục xác định bản ghi.
merge-too_many_candidates = Ở đây đã có hơn { $max } bản gửi hoặc bản rút mâu thuẫn nhau mà chưa ai quyết định. Bản này được giữ lại; hãy đề nghị cấp trên quyết định rồi gửi lại.
merge-merged_invalid = Từng sửa đổi đều đúng nhưng khi gộp lại thì số liệu không khớp. Tất cả được giữ; cấp trên sẽ quyết định số liệu đúng.
merge-edit_delete = Bản ghi vừa được sửa vừa được xóa bởi hai người. Bản ghi được giữ lại và đánh dấu để cấp trên quyết định.

## Deciding

conflict-already_closed = Mâu thuẫn này đã được giải quyết. Hãy tải lại để xem kết quả.
    .title = Đã được giải quyết
conflict-choice_unknown = Giá trị được chọn không nằm trong các giá trị đang tranh chấp. Hãy tải lại mâu thuẫn rồi chọn một trong các giá trị hiện có.
    .title = Lựa chọn không có
conflict-unseen_candidates = Chưa nêu là đã xem giá trị nào trong số các giá trị sẽ bị thay. Hãy tải lại mâu thuẫn, xem đủ các giá trị và nêu những giá trị đã xem.
    .title = Còn giá trị chưa xem
conflict-reason_required = Quyết định phải có lý do. Hãy ghi lý do ngắn gọn rồi gửi lại.
    .title = Cần nêu lý do
quarantine-already_closed = Bản gửi này đã được xử lý. Hãy tải lại để xem kết quả.
    .title = Đã được xử lý
quarantine-not_releasable = Bản gửi này không thể cho qua vì nội dung không đọc được hoặc vẫn vi phạm quy định. Hãy bác bỏ kèm lý do và đề nghị người lập gửi bản thay thế.
    .title = Không thể cho qua
quarantine-released = Người duyệt đã cho qua bản gửi của đồng chí. Bản gửi đã được ghi nhận, không cần làm gì thêm.
    .title = Đã cho qua
quarantine-discarded = Người duyệt đã bác bỏ bản gửi của đồng chí, có nêu lý do. Bản gửi không được tính; hãy gửi bản mới nếu còn thiếu.
    .title = Đã bác bỏ
quarantine-replaced = Bản sửa của đồng chí đã thay cho bản gửi này. Không cần làm gì thêm.
    .title = Đã thay thế
quarantine-erased = Dữ liệu của người mà bản gửi này nói đến đã bị xóa, cùng với nội dung đã gửi. Hãy xóa bản gửi khỏi thiết bị.
    .title = Đã xóa
conflict-decided = Người duyệt đã quyết định giữa các báo cáo khác nhau về bản ghi này. Hãy xem nội dung hiện tại.
    .title = Đã quyết định
sync-behind = Máy chủ này chưa nhận được dữ liệu mà đồng chí yêu cầu. Hãy hỏi lại sau một giây.
    .title = Chưa có dữ liệu
quarantine-reason_required = Quyết định phải có lý do. Hãy ghi lý do ngắn gọn rồi gửi lại.
    .title = Cần nêu lý do

## Chuyển bản ghi

record-moved = Nội dung bạn báo cáo đã chuyển sang đơn vị khác nên báo cáo đang chờ người xét. Không có gì bị mất; hãy đồng bộ, và báo cáo cho đơn vị hiện tại nếu đơn vị đó thuộc phạm vi của bạn.
record-moved_beyond_review = Nội dung được báo cáo đã chuyển sang đơn vị mà bạn không xét duyệt, hoặc không được tự báo cáo. Hãy nhờ người xét duyệt cả hai đơn vị.
record-reason_required = Việc chuyển phải có lý do. Hãy ghi lý do ngắn gọn rồi gửi lại.
    .title = Thiếu lý do
record-goes_with_its_person = Các bước của một người đi cùng hồ sơ của người đó. Hãy chuyển chính hồ sơ của người đó.
    .title = Đi cùng hồ sơ của người
record-already_there = Bản ghi đã ở đơn vị này. Không cần làm gì thêm.
    .title = Đã ở đơn vị này
record-unfit_there = Ở đơn vị đó bản ghi sẽ vi phạm quy tắc. Hãy sửa nội dung được nêu, hoặc chọn đơn vị khác.
    .title = Không phù hợp với đơn vị đó
record-taken_there = Đơn vị đó đã có nội dung này: một bản ghi của cùng cuộc họp, hoặc một bản ghi khác mang cùng mã. Hãy xem cả hai; nếu trùng nhau thì rút một bản.
    .title = Đơn vị đó đã có

## People

person-name_needs_branch = Tìm theo tên cần một chi bộ: chỉ tra cứu người theo tên trong phạm vi một chi bộ. Hãy nêu mã chi bộ ở “unit” và biểu mẫu về người.
    .title = Tìm theo tên cần chi bộ
person-unknown = Máy chủ chưa có người này trong phạm vi bạn phụ trách. Hãy gửi hồ sơ của người đó trước, hoặc đồng bộ rồi chọn lại.
person-card_taken = Số thẻ đảng này đang thuộc về một đảng viên khác. Hãy kiểm tra lại số thẻ; nếu đúng, hãy báo cấp trên.
person-fostering_is_residence = Chi bộ giúp đỡ phải khác chi bộ của nơi cư trú. Hãy chọn chi bộ của nơi khác, hoặc bỏ trống nếu nơi cư trú đã có chi bộ.
person-already_erased = Dữ liệu của người này đã được xóa từ trước. Không cần làm gì thêm.
    .title = Đã xóa từ trước
person-not_one = Hồ sơ này không phải là hồ sơ của một người nên không xóa theo nó được. Hãy dùng mã hồ sơ của chính người đó.
    .title = Không phải hồ sơ của một người
person-reason_required = Việc xóa phải có lý do. Hãy ghi lý do ngắn gọn, không nêu tên người đó, rồi gửi lại.
    .title = Thiếu lý do
person-erased = Dữ liệu của người này đã được xóa theo quy định nên không thể ghi thêm. Không cần gửi lại; nếu có nhầm lẫn, hãy báo cấp trên.
person-too_many_steps = Người này đã có hơn { $max } bước được ghi, kể cả các bước đã rút. Hãy sửa các bước đang có thay vì rút và thêm bước mới.

## The tree of units

unit-without_version = Đơn vị này chưa có phiên bản nào. Hãy khai ít nhất một phiên bản với tên, loại và ngày bắt đầu.
unit-versions_overlap = Các phiên bản của đơn vị chồng lên nhau hoặc kết thúc trước khi bắt đầu. Hãy sửa ngày bắt đầu và ngày kết thúc.
unit-kind_of_other_tree = Loại đơn vị này thuộc cây kia (Đảng hoặc hành chính). Hãy chọn loại đơn vị của đúng cây.
unit-parent_unknown = Đơn vị cấp trên không có trong danh sách. Hãy khai đơn vị cấp trên trước.
unit-parent_of_other_tree = Đơn vị cấp trên thuộc cây kia (Đảng hoặc hành chính). Hãy chọn đơn vị cấp trên trong cùng một cây.
unit-circle = Đơn vị này nằm dưới chính nó, hoặc cây có quá nhiều tầng. Hãy chọn đơn vị cấp trên khác.
unit-kind_unknown = Không có loại đơn vị này. Hãy dùng provincial_committee, commune_committee, border_post, branch hoặc party_group; province, commune, village hoặc residential_group.
unit-name_invalid = Tên đơn vị bị trống hoặc có ký tự lạ. Hãy ghi tên trên một dòng.
unit-code_invalid = Đây không phải là mã: mã được viết dạng hệ:mã, ví dụ gso:03160. Hãy sửa lại.
unit-code_twice = Hai đơn vị trong danh sách có cùng mã này. Hãy cho mỗi đơn vị một mã riêng.
unit-covers_unknown = Chỉ chi bộ mới phụ trách thôn, bản, và không có thôn, bản, tổ dân phố nào mang mã này. Hãy sửa lại hoặc thêm thôn, bản đó vào danh sách.

## Steps of member development

step-in_future = Ngày này nằm sau hôm nay ({ $today }). Chỉ ghi việc đã diễn ra; hãy sửa ngày rồi gửi bản thay thế.
step-before_birth = Ngày này nằm trước ngày sinh của người được ghi. Hãy kiểm tra lại ngày này và ngày sinh.
step-under_age = Khi chi bộ xét, người này chưa đủ { $min_age } tuổi. Hãy kiểm tra ngày sinh và ngày nghị quyết; nếu đúng, phải chờ đủ tuổi rồi xét lại.
step-over_age = Khi chi bộ xét, người này đã quá { $max_age } tuổi. Hãy ghi số văn bản cho phép trường hợp đặc biệt, hoặc sửa ngày nếu nhầm.
step-certificate_too_old = Giấy chứng nhận học lớp nhận thức về Đảng (ngày { $on }) đã quá { $max_years } năm khi chi bộ xét. Người này cần học lại; nếu nhầm ngày, hãy sửa rồi gửi bản thay thế.
step-out_of_order = Ngày này phải { $relation } ngày của bước “{ $step }” ({ $on }). Hãy đối chiếu hai ngày với văn bản rồi sửa ngày sai.
step-dates_disagree = Ngày này khác với ngày của bước “{ $step }” đã ghi ({ $on }). Hãy đối chiếu với văn bản rồi sửa ngày sai.
step-probation_too_short = Chưa đủ { $months } tháng dự bị kể từ lễ kết nạp ({ $on }); sớm nhất là ngày { $earliest }. Hãy kiểm tra ngày rồi gửi bản thay thế.
step-official_date_differs = Ngày chính thức phải là { $expected }, tức đủ { $months } tháng kể từ lễ kết nạp ({ $on }). Hãy bỏ trống để máy chủ tự tính, hoặc sửa lại.
step-probationary_discipline = Hình thức “{ $discipline }” không áp dụng cho đảng viên dự bị. Hãy kiểm tra lại hình thức kỷ luật và ngày công nhận chính thức.
step-card_of_probationary = Thẻ đảng là của đảng viên chính thức, mà theo bước “{ $step }” ngày { $on } thì người này chưa được công nhận. Hãy bỏ số thẻ, hoặc báo cáo bước công nhận hay sửa ngày của bước đó trước.
step-not_a_member = Vào ngày này người được ghi chưa là đảng viên (bước “{ $step }” vào ngày { $on }). Hãy kiểm tra lại ngày của hai bước.
step-status_contradicted = Tình trạng “{ $status }” không thể đúng cùng với bước “{ $step }” ngày { $on }. Hãy kiểm tra lại tình trạng hoặc bước đó.
step-already_held = Bước “{ $step }” đã được ghi vào ngày { $on } và chỉ diễn ra một lần. Nếu bước trước sai, hãy sửa bước đó thay vì ghi thêm.
step-after_end = Ngày này nằm sau khi việc theo dõi người này đã kết thúc (bước “{ $step }” ngày { $on }). Nếu người này được kết nạp lại, hãy ghi bước kết nạp lại trước.
step-still_needed = Không thể rút bước này vì bước “{ $step }” ngày { $on } dựa vào nó. Hãy rút hoặc sửa bước đó trước.
step-until_before_start = Ngày kết thúc nằm trước ngày bắt đầu. Hãy sửa một trong hai ngày rồi gửi bản thay thế.
step-votes_exceed = Số phiếu nhiều hơn số đảng viên chính thức được biểu quyết ({ $eligible }). Hãy đối chiếu với biên bản rồi sửa lại.
step-opening_status_missing = Bước nhập ban đầu phải nêu người này là dự bị hay chính thức. Hãy chọn tình trạng rồi gửi lại.
step-opening_date_missing = Thiếu mục “{ $field }” của đảng viên { $status }. Hãy bổ sung theo hồ sơ để tính được thời gian dự bị và tuổi đảng.
step-missing_earlier = Chưa có bước “{ $missing }” trước bước này. Nếu bước đó đã diễn ra, hãy ghi bổ sung.
step-unusual_order = Thứ tự ít gặp: ngày này thường phải { $relation } ngày của bước “{ $step }” ({ $on }). Hãy kiểm tra lại; nếu đúng thì không cần làm gì.
step-withdrawn_as_member = Người này đã là đảng viên (“{ $step }” ngày { $on }), nên không còn đơn để rút. Nếu người đó ra khỏi Đảng, hãy ghi bước đó thay cho bước này.
step-repeated = Bước “{ $step }” đã được ghi vào ngày { $on }. Nếu là cùng một việc, hãy rút một trong hai; nếu việc diễn ra hai lần thì không cần làm gì.
step-decision_late = Quyết định ra sau { $days } ngày làm việc kể từ nghị quyết của chi bộ ({ $on }), quá hạn { $limit } ngày. Hãy kiểm tra ngày; nếu đúng, hãy chuẩn bị giải trình.
step-ceremony_late = Lễ kết nạp tổ chức sau { $days } ngày làm việc kể từ quyết định ({ $on }), quá hạn { $limit } ngày. Hãy kiểm tra ngày; nếu đúng, hãy chuẩn bị giải trình.
step-consent_missing = Chưa ghi đơn xin vào Đảng hoặc sự đồng ý của người này. Hãy bổ sung ngày và số văn bản vào hồ sơ của người đó.

## Users and grants

user-name_invalid = Tên đăng nhập dài từ 2 đến 64 ký tự, chỉ gồm chữ cái không dấu, chữ số, dấu chấm, gạch dưới và gạch ngang, bắt đầu và kết thúc bằng chữ hoặc số. Hãy chọn tên khác, ví dụ vu.a.cha.
user-label_invalid = Tên hiển thị để trống, dài quá { $max } ký tự hoặc có ký tự lạ. Hãy nhập họ tên trên một dòng.
user-name_taken = Đã có người dùng tên đăng nhập này. Hãy chọn tên khác.
user-unknown = Không có người dùng với tên đăng nhập này. Hãy kiểm tra lại tên, hoặc thêm bằng “muong user add”.
unit-unknown = Không có đơn vị này. Hãy nêu mã định danh (UUID), hoặc mã đơn vị dạng hệ:mã, ví dụ gso:03160.
grant-role_unknown = Không có vai trò này. Hãy chọn một trong: { $roles }.
grant-period_empty = Quyền kết thúc trước khi bắt đầu. Hãy sửa ngày bắt đầu hoặc ngày kết thúc.
grant-role_excluded = Trong thời gian đó người này giữ vai trò { $role }; quản trị viên không được giữ thêm vai trò nào khác. Hãy kết thúc vai trò kia trước, hoặc giao cho tài khoản khác.
grant-already_held = Trong thời gian đó người này đã giữ vai trò này ở đơn vị này. Không cần giao lại; muốn đổi ngày, hãy kết thúc quyền cũ rồi giao quyền mới.
grant-not_held = Người này hiện không giữ vai trò này ở đơn vị này, và cũng sẽ không giữ. Hãy kiểm tra lại vai trò và đơn vị.
access-own_account = Không ai tự quản trị tài khoản hoặc quyền của chính mình. Hãy nhờ quản trị viên khác; mật khẩu và xác thực hai bước của bạn ở mục /v1/me.
    .title = Tài khoản của chính bạn
access-role_above = Vai trò này do quản trị viên của cả hệ thống cây đơn vị giao và kết thúc. Hãy nhờ người đó, hoặc chọn vai trò thấp hơn.
    .title = Không thuộc quyền giao của bạn
unit-dissolved = Đơn vị này đã giải thể hoặc đã được định ngày kết thúc nên không thay đổi gì được nữa. Nếu cần, hãy thành lập đơn vị khác.
    .title = Đơn vị đã giải thể
unit-too_early = Trạng thái hiện nay của đơn vị bắt đầu từ { $began }, và những gì trước đó không bao giờ bị viết lại. Hãy chọn ngày muộn hơn.
    .title = Ngày quá sớm
unit-date_in_future = Việc chuyển đơn vị thay đổi quyền xem của mọi người ngay lập tức nên không thể khai trước. Hãy gửi vào đúng ngày đó hoặc muộn hơn.
    .title = Ngày ở tương lai
unit-has_units_below = Vào ngày đó vẫn còn đơn vị trực thuộc. Hãy giải thể hoặc chuyển các đơn vị ấy trước.
    .title = Còn đơn vị trực thuộc
unit-unchanged = Đơn vị đã như vậy rồi nên không cần làm gì. Hãy tải lại để xem hiện trạng.
    .title = Không có gì thay đổi
unit-code_taken = Một đơn vị khác đã có mã này từ ngày đó hoặc về sau, hoặc mã bị khai hai lần. Hãy kiểm tra mã và kết thúc mã ở đơn vị kia trước.
    .title = Mã đã có đơn vị dùng
unit-code_unfit = Tên hệ và mã dài từ 1 đến 40 ký tự, chỉ gồm chữ cái không dấu, chữ số, gạch ngang, gạch dưới và dấu chấm. Hãy sửa rồi gửi lại.
    .title = Mã không hợp lệ
unit-founded_later = Ngày thành lập không thể sau ngày đầu tiên của đơn vị. Hãy sửa một trong hai ngày.
    .title = Ngày thành lập quá muộn
unit-not_a_village = Vào ngày đó đơn vị này không phải thôn, bản hay tổ dân phố. Hãy chọn một thôn, bản hoặc tổ dân phố.
    .title = Không phải thôn, bản
unit-not_a_branch = Vào ngày đó đơn vị này không phải chi bộ, mà chỉ chi bộ mới phụ trách thôn, bản. Hãy chọn một chi bộ.
    .title = Không phải chi bộ
user-grant_required = Người quản trị một phần của cây đơn vị phải giao cho người dùng mới một vai trò trong phần đó, nếu không sẽ không còn thấy họ. Hãy thêm một quyền.
    .title = Cần giao ít nhất một quyền
grant-begins_in_past = Quyền không thể bắt đầu trong quá khứ: việc làm khi đó vốn chưa được phép. Hãy bỏ trống thời điểm đầu hoặc chọn thời điểm muộn hơn.
    .title = Bắt đầu trong quá khứ
import-faulty = Chưa nhập dòng nào vì có dòng sai. Hãy xem “errors” theo từng dòng và cột, sửa rồi gửi lại cả bảng.
    .title = Bảng có lỗi
import-empty = Bảng không có dòng nào dưới dòng tên cột. Hãy thêm người dùng rồi gửi lại.
    .title = Bảng trống
import-too_many_rows = Bảng có hơn { $max } dòng, mà mỗi dòng cần tạo một mật khẩu. Hãy chia nhỏ và gửi lần lượt từng phần.
    .title = Quá nhiều dòng
import-unreadable = Không đọc được dòng { $line } dưới dạng văn bản UTF-8. Hãy lưu bảng dạng “CSV UTF-8” rồi gửi lại.
import-column_unknown = Không có cột “{ $column }”, hoặc cột bị khai hai lần. Hãy dùng username, display_name, role, unit, valid_from và valid_to.
import-column_missing = Thiếu cột “{ $column }”. Hãy thêm vào dòng đầu và điền giá trị.
import-wrong_number_of_cells = Dòng { $line } không có đủ { $columns } ô như dòng đầu. Hãy tìm chỗ thiếu hoặc thừa dấu phân cách.
import-username_repeated = Tên đăng nhập này đã có ở một dòng phía trên (đây là dòng { $line }). Hãy giữ lại một dòng; các quyền khác giao sau.
import-formula = Họ tên không bắt đầu bằng =, +, - hay @, vì bảng tính sẽ chạy như công thức. Hãy sửa lại họ tên.
import-date = Đây không phải một ngày dạng YYYY-MM-DD. Hãy sửa lại hoặc để trống ô này.

## Codes that stand inside other texts, as words

word-text = chữ trên một dòng
word-name = họ tên hoặc phần đầu của họ tên
word-date-time = một thời điểm dạng YYYY-MM-DDTHH:MM:SSZ
word-top_level = cấp ngoài cùng
word-multiline = chữ
word-integer = số nguyên
word-decimal = số
word-boolean = có hoặc không
word-date = ngày, dạng NNNN-TT-NN (ví dụ 2026-03-05)
word-time = giờ, dạng GG:PP (ví dụ 19:30)
word-period = tháng, dạng NNNN-TT (ví dụ 2026-03)
word-code = một giá trị trong danh sách
word-codes = các giá trị trong danh sách
word-reference = mã định danh (UUID)
word-list_of_references = danh sách mã định danh (UUID)
word-number_from_one = số nguyên từ 1 trở lên
word-kind_of_submission = “create”, “edit” hoặc “delete”
word-captured_at = một thời điểm có múi giờ, trong các năm từ 1900 đến 2199 (ví dụ 2026-03-05T21:20:00+07:00)
word-changes = giá trị trước và sau dưới dạng đối tượng JSON có “from” và “to”
word-object = một đối tượng JSON
word-before = không trước
word-after = sau
word-opening_entry = nhập ban đầu
word-awareness_class_completed = học xong lớp nhận thức về Đảng
word-dossier_complete = hoàn chỉnh hồ sơ
word-branch_resolved = nghị quyết của chi bộ
word-superior_endorsed = cấp trên trực tiếp đồng ý
word-admission_decided = quyết định kết nạp
word-ceremony_held = lễ kết nạp
word-new_member_class_completed = học xong lớp đảng viên mới
word-recognised_official = công nhận chính thức
word-withdrawn = rút khỏi việc xét kết nạp
word-transferred_out = chuyển đi
word-transferred_in = chuyển đến
word-temporary_out = chuyển sinh hoạt tạm thời đi
word-temporary_in = chuyển sinh hoạt tạm thời đến
word-exempted = miễn sinh hoạt
word-disciplined = kỷ luật
word-removed_from_roll = xóa tên
word-left = ra khỏi Đảng
word-deceased = từ trần
word-readmitted = kết nạp lại
word-reprimand = khiển trách
word-warning = cảnh cáo
word-dismissal_from_post = cách chức
word-expulsion = khai trừ
word-probationary = dự bị
word-official = chính thức
word-branch = chi bộ
word-border_post = đồn biên phòng
word-commune_committee = đảng ủy xã
word-provincial_committee = tỉnh ủy
word-province = tỉnh
word-commune = xã, phường
word-village = thôn, bản
word-residential_group = tổ dân phố
word-party_group = tổ đảng

## A code without an entry of its own

unknown-code = Yêu cầu chưa được thực hiện (mã { $code }). Hãy báo mã này cho quản trị viên.
    .title = Yêu cầu chưa được thực hiện
submission-nothing_to_replace = Báo cáo mà bản này thay thế không nằm trong danh sách chờ xử lý của bạn. Bản này vẫn được ghi nhận; hãy kiểm tra lại mã nếu định thay bản khác.
person-has_steps = Người này đã có các bước được ghi nhận nên không thể rút hồ sơ. Hãy rút các bước đó trước, hoặc báo cáo bước kết thúc tư cách đảng viên.
conflict-choice_unfit = Lựa chọn này không phù hợp với câu hỏi. Hãy tải lại mâu thuẫn rồi chọn một giá trị đề xuất, nhập giá trị khác, hoặc chọn giữ hay bỏ bản ghi theo yêu cầu.
conflict-decision_invalid = Với quyết định này, bản ghi sẽ vi phạm quy tắc. Hãy xem các lỗi và chọn giá trị khác.
form-version_published = Phiên bản này đã được ban hành và không thay đổi nữa. Hãy ban hành nội dung sửa đổi với số phiên bản tiếp theo.
form-version_incompatible = Phiên bản này không thể dùng cùng các phiên bản đã ban hành: { $reason }. Hãy đặt tên mới cho phần thay đổi.
request-cursor_invalid = Con trỏ này không thuộc danh sách đang xem. Hãy bắt đầu lại không kèm con trỏ.
server-not_ready = Dịch vụ chưa sẵn sàng: không kết nối được cơ sở dữ liệu, cơ sở dữ liệu chưa cập nhật hoặc vừa được chuyển sang máy dự phòng. Hãy thử lại sau ít phút; nếu vẫn vậy, hãy chạy “muong migrate”.
